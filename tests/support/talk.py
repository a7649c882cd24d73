"""A whole conversation in one process for tests: the daemon's own parts, a scripted model, a frozen clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

from assistant.clock import FrozenClock
from assistant.config import Config
from assistant.daemon import Instead, assemble
from assistant.engine.scripted import ScriptedModel
from assistant.events import Event
from assistant.models import Completion, Person, Turn, UserContext
from assistant.paths import Paths
from assistant.server.services import Services

NOW = datetime(2026, 11, 23, 10, tzinfo=ZoneInfo("Europe/Berlin"))
USER = UserContext(
    name="Mei Lin",
    email="mei@example.org",
    zone="Europe/Berlin",
    contacts=(
        Person(name="Lan Lin", aliases=("sister", "姐姐", "林岚"), email="lan@example.cn"),
        Person(name="Anna Schmidt", email="anna.schmidt@example.org"),
        Person(name="Anna Weber", email="weber@example.org"),
    ),
)


@dataclass
class Talk:
    """The daemon's parts, and short ways to speak to them."""

    services: Services
    model: ScriptedModel
    events: list[Event] = field(default_factory=list)

    async def say(self, text: str, *, session: str = "s", present: bool = True) -> list[Event]:
        """One turn's events."""
        turn = Turn(id=f"t{len(self.events)}", text=text, session=session, present=present)
        events = [event async for event in self.services.conversation.turn(turn)]
        self.events += events
        return events

    async def reply(self, text: str, *, session: str = "s", present: bool = True) -> str:
        """The text that the turn ends with: a reply, a question or an error's sentence."""
        events = await self.say(text, session=session, present=present)
        kinds = {"reply": "text", "question": "text", "error": "message"}
        return [str(getattr(event, kinds[event.type])) for event in events if event.type in kinds][-1]


def folders(base: Path) -> Paths:
    """All of the assistant's folders below `base`, made."""
    paths = Paths(base, base / "data", base / "models", base / "state", base / "run")
    paths.make()
    return paths


def _nobody_sends(settings: dict[str, Any], base: Path) -> dict[str, Any]:
    """The skills' settings; where they name no way out for mail, the machine's own sendmail is none."""
    skills = dict(settings.get("skills", {}))
    email = dict(skills.get("email", {}))
    email["settings"] = {"sendmail": str(base / "no-sendmail"), **email.get("settings", {})}
    return skills | {"email": email}


@asynccontextmanager
async def talking(
    base: Path,
    user: UserContext,
    replies: Sequence[str] | Callable[[Completion], str] = (),
    *,
    now: datetime = NOW,
    instead: Instead | None = None,
    **settings: Any,
) -> AsyncIterator[Talk]:
    """Everything the daemon has but its sockets. `settings` are parts of the configuration."""
    paths = folders(base)
    with paths.profile_file.open("w", encoding="utf-8") as file:
        YAML().dump(user.model_dump(mode="json"), file)
    config = Config.model_validate({"notify": {"desktop": False}, **settings, "skills": _nobody_sends(settings, base)})
    model = ScriptedModel(replies)
    async with AsyncExitStack() as stack:
        services = await assemble(paths, config, stack, clock=FrozenClock(now), scripted=model, instead=instead)
        assert not services.skills.problems, [str(problem) for problem in services.skills.problems]
        yield Talk(services, model)

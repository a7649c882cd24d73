"""A skill and the `Context` of its tools for tests: the real index and catalogue, a frozen clock, a scripted model."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

from assistant.accounts.keeper import KeptAccounts
from assistant.engine.scripted import ScriptedModel
from assistant.locale import Catalogue
from assistant.models import Language, Notice, Operation, OutboxState, Person, Prepared, UserContext
from assistant.remote import Account
from assistant.resources import bundled
from assistant.skillkit import Context
from assistant.skillkit.loader import Skills
from assistant.skillkit.settings import check
from assistant.store.database import open_database
from assistant.store.index import SqlIndex

NOW = datetime(2026, 11, 23, 10, tzinfo=ZoneInfo("Europe/Berlin"))
USER = UserContext(
    name="Mei Lin",
    email="mei@example.org",
    zone="Europe/Berlin",
    contacts=(
        Person(name="Anna Schmidt", aliases=("sister", "姐姐"), email="anna.schmidt@example.org"),
        Person(name="Bob Miller", email="bob@example.com"),
        Person(name="Bob Hoover", email="bob.hoover@example.net"),
        Person(name="王伟", aliases=("Wang Wei",), email="wangwei@example.cn"),
        Person(name="Hausverwaltung Krause", aliases=("landlord",)),
    ),
)


class NoModel(ScriptedModel):
    """What the tools see before a model is installed."""

    def __init__(self) -> None:
        super().__init__(())

    @property
    def ready(self) -> bool:
        return False


@dataclass
class MemorySecrets:
    """Secrets for the length of a test."""

    kept: dict[str, str] = field(default_factory=dict)

    async def get(self, name: str) -> str | None:
        return self.kept.get(name)

    async def put(self, name: str, value: str) -> None:
        self.kept[name] = value

    async def delete(self, name: str) -> bool:
        return self.kept.pop(name, None) is not None


async def _silent(notice: Notice) -> None:
    return None


@cache
def load_skill(name: str) -> tuple[ModuleType, Skills]:
    """The bundled skill's package (`assistant_skills.<name>`) and the loader that holds it."""
    skills = Skills()
    skills.load_bundled(bundled("skills"), {})
    assert name in skills.loaded, skills.problems
    return importlib.import_module(f"assistant_skills.{name}"), skills


def context(
    skills: Skills,
    name: str,
    folder: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    language: Language = "en",
    now: datetime = NOW,
    user: UserContext = USER,
    model: ScriptedModel | None = None,
    secrets: Mapping[str, str] | None = None,
    accounts: Mapping[str, Account] | None = None,
    index: SqlIndex | None = None,
) -> Context:
    """A context with the skill's defaults, an index of its own, and the skill's folder under `folder`."""
    catalogue = Catalogue()
    catalogue.add(name, bundled("skills") / name / "locale")
    own = folder / f"{name}-data"
    own.mkdir(exist_ok=True)
    nothing: Any = None
    kept = MemorySecrets(dict(secrets or {}))
    return Context(
        skill=name,
        language=language,
        now=now,
        zone=ZoneInfo("Europe/Berlin"),
        user=user,
        text=partial(catalogue.text, language),
        settings=check(skills.loaded[name].manifest, settings or {}),
        folder=own,
        secrets=kept,
        accounts=KeptAccounts(accounts or {}, kept),
        model=model or NoModel(),
        index=index or SqlIndex(open_database(":memory:"), name),
        outbox=nothing,
        schedules=nothing,
        notify=_silent,
    )


def operation(prepared: Prepared, tool: str) -> Operation:
    """An approved operation of what a tool prepared."""
    return Operation(
        id="op1", tool=tool, prepared=prepared, state=OutboxState.SENDING, created_at=NOW, release_at=NOW, attempts=1
    )

"""What is known of the user, over HTTP: looked at, traced to its words, corrected, carried away, forgotten."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from assistant.errors import NotFound
from assistant.knowledge import Fact, Habit
from assistant.models import Language
from assistant.safety import words
from assistant.server.respond import answer, body, language, parse
from assistant.server.services import Services
from assistant.server.wire import (
    EditBody,
    ExportBody,
    ExportQuery,
    FactsQuery,
    ImportBody,
    PauseBody,
    PinBody,
    TopicBody,
    UndoneBody,
)


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def _shown(request: Request, fact: Fact) -> dict[str, Any]:
    known = _services(request)
    told = known.profile.tell(fact, language(request, known.language))
    due = fact.review_at is not None and fact.review_at <= known.clock.now()
    return fact.model_dump(mode="json") | {"told": told, "due": due}


async def facts(request: Request) -> Response:
    """What is known of the user: now, at a moment, or all that ever was."""
    query = parse(json.dumps(dict(request.query_params)), FactsQuery)
    found = _services(request).profile.facts(as_of=query.as_of, history=query.history)
    return answer({"items": [_shown(request, fact) for fact in found]})


async def why(request: Request) -> Response:
    """A fact with the words that state it."""
    profile = _services(request).profile
    fact = profile.fact(request.path_params["id"])
    said = [one.model_dump(mode="json") for one in profile.why(fact.id)]
    return answer({"fact": _shown(request, fact), "evidence": said})


async def forget(request: Request) -> Response:
    """Forget a fact for good, with the words that state it."""
    profile = _services(request).profile
    fact = profile.fact(request.path_params["id"])
    done = await profile.forget([fact.id])
    return answer({"forgotten": done.count, "left": done.left})


async def pin(request: Request) -> Response:
    """Keep a fact in sight whatever happens, or no longer."""
    sent = await body(request, PinBody)
    return answer(_shown(request, _services(request).profile.pin(request.path_params["id"], sent.pinned)))


async def edit(request: Request) -> Response:
    """Put another value in the place of one that holds."""
    sent, known = await body(request, EditBody), _services(request)
    tongue = language(request, known.language)
    return answer(_shown(request, known.profile.edit(request.path_params["id"], sent.value, language=tongue)))


async def stats(request: Request) -> Response:
    """How much is known, and what is kept from being learned."""
    return answer(_services(request).profile.hands.stats().model_dump(mode="json"))


async def exported(request: Request) -> Response:
    """The whole profile as a document, or as Markdown; it is written nowhere."""
    query, known = parse(json.dumps(dict(request.query_params)), ExportQuery), _services(request)
    return answer({"text": known.profile.hands.text(query.format, language(request, known.language))})


async def export(request: Request) -> Response:
    """Write the profile to a file, which is remembered: what is forgotten later goes from it too."""
    sent, known = await body(request, ExportBody), _services(request)
    file = Path(sent.file) if sent.file else None
    done = await known.profile.hands.export(file, sent.format, language(request, known.language))
    return answer({"file": str(done)})


async def take(request: Request) -> Response:
    """Import a file that an export wrote: all of it, or nothing where it is broken."""
    sent = await body(request, ImportBody)
    return answer((await _services(request).profile.hands.take(Path(sent.file))).model_dump(mode="json"))


async def pause(request: Request) -> Response:
    """Learn nothing for a time; what is asked to be remembered is."""
    sent = await body(request, PauseBody)
    _services(request).profile.hands.pause(sent.until)
    return await stats(request)


async def resume(request: Request) -> Response:
    """Learn again."""
    _services(request).profile.hands.resume()
    return await stats(request)


async def never(request: Request) -> Response:
    """Learn nothing of a topic any more, or of a topic again."""
    sent, hands = await body(request, TopicBody), _services(request).profile.hands
    hands.bar(sent.topic) if sent.never else hands.unbar(sent.topic)
    return await stats(request)


async def changes(request: Request) -> Response:
    """What was learned and changed, the newest first."""
    profile = _services(request).profile
    found = profile.changes()
    known = {fact.id: fact for fact in profile.facts(history=True)}

    def told(fact: str | None) -> str:
        return str(_shown(request, known[fact])["told"]) if fact in known else ""

    items = [
        one.model_dump(mode="json") | {"told": told(one.fact), "other": told(known[one.fact].superseded_by)}
        for one in found
    ]
    return answer({"items": items})


async def habits(request: Request) -> Response:
    """What the user usually chooses, each with the sentence that tells it under `told`."""
    known = _services(request)
    tongue: Language = "zh" if language(request, known.language) == "zh" else "en"

    def told(one: Habit) -> str:
        described = known.skills.tool(one.tool).schema.description if known.skills.has(one.tool) else one.tool
        return words.habit(one, known.catalogue, tongue, described)

    return answer(
        {"items": [one.model_dump(mode="json") | {"told": told(one)} for one in known.profile.habits.listed()]}
    )


async def forget_habit(request: Request) -> Response:
    """Forget a habit for good, with what it was read from; `all` is every one."""
    profile, wanted = _services(request).profile, request.path_params["id"]
    gone = profile.habits.forget_all() if wanted == "all" else profile.habits.forget(wanted)
    if not gone and wanted != "all":
        raise NotFound("memory.no_fact", fact=wanted)
    await profile.scrub()
    return answer({"forgotten": gone})


async def tidy(request: Request) -> Response:
    """Put together now what says the same, as each night does."""
    return answer(asdict(await _services(request).profile.nights.consolidate()))


async def undo(request: Request) -> Response:
    """Take back what one source brought; without one, the newest change."""
    sent = await body(request, UndoneBody)
    profile = _services(request).profile
    newest = profile.changes(1)
    batch = sent.batch or (newest[0].batch if newest else "")
    gone = [_shown(request, fact) for fact in profile.take_back(batch)] if batch else []
    return answer({"batch": batch, "items": gone})

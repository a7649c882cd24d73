"""Every HTTP endpoint: a thin hand-over to the part that does the work."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from assistant.errors import NotFound, PolicyDenied
from assistant.models import Surface, Turn
from assistant.safety.approvals import masked
from assistant.sandbox import machine
from assistant.server.callers import Caller, caller
from assistant.server.respond import answer, body, language, parse, stream
from assistant.server.services import Services
from assistant.server.wire import AuditQuery, DecisionBody, ModelBody, PlanBody, ResolutionBody, SessionBody, TurnBody
from assistant.skillkit.loader import Known
from assistant.skillkit.sources import look_again


def services(request: Request) -> Services:
    """The daemon's parts."""
    found: Services = request.app.state.services
    return found


def new_turn(text: str, session: str, surface: Surface, tongue: str | None) -> Turn:
    """A turn with an id of its own."""
    return Turn(id=uuid.uuid4().hex, text=text, session=session, surface=surface, language=tongue)


def turn_of(sent: TurnBody, who: Caller) -> Turn:
    """The turn a client sent. Raises PolicyDenied.

    A program's is never a person's, whatever it says of its surface and of who is present, and names no files.
    """
    session = who.session(sent.session)
    if who.is_person:
        turn = new_turn(sent.text, session, sent.surface, sent.language)
        return turn.model_copy(update={"attachments": tuple(sent.attachments), "present": sent.present})
    if sent.attachments:
        raise PolicyDenied("server.scope")
    return new_turn(sent.text, session, "api", sent.language).model_copy(update={"present": False})


async def health(request: Request) -> Response:
    """Whether the daemon is well, and what it has loaded."""
    return answer(services(request).health())


async def start_turn(request: Request) -> Response:
    """Say something; streams the turn's events."""
    known = services(request)
    turn = turn_of(await body(request, TurnBody), caller(request))
    return stream(known.running.run(turn, known.conversation.turn(turn)))


async def cancel_turn(request: Request) -> Response:
    """Stop a turn within a token."""
    running, wanted = services(request).running, request.path_params["id"]
    if not caller(request).owns(running.session(wanted)):
        raise NotFound("server.no_turn", what=wanted)
    running.cancel(wanted)
    return answer({"cancelled": wanted})


async def plan(request: Request) -> Response:
    """What a turn would do, without doing it."""
    sent = await body(request, PlanBody)
    known = services(request)
    now = sent.now
    if now is not None and now.tzinfo is None:
        now = now.replace(tzinfo=known.clock.zone)
    planned = await known.conversation.plan(sent.text, now=now, user=sent.context, language=sent.language)
    return answer(planned.model_dump(mode="json"))


async def sessions(request: Request) -> Response:
    """All conversations, the newest first."""
    who = caller(request)
    items = services(request).sessions.overview()
    return answer({"items": [item for item in items if who.owns(item["session"])]})


async def session(request: Request) -> Response:
    """One conversation's turns."""
    wanted = request.path_params["id"]
    turns = services(request).sessions.transcript(wanted) if caller(request).owns(wanted) else []
    if not turns:
        raise NotFound("server.no_session", what=wanted)
    return answer({"items": turns})


async def approvals(request: Request) -> Response:
    """Approvals that wait for an answer."""
    pending = services(request).approvals.pending()
    return answer({"items": [masked(approval).model_dump(mode="json") for approval in pending]})


async def approval(request: Request) -> Response:
    """One approval."""
    found = services(request).approvals.get(request.path_params["id"])
    return answer(masked(found).model_dump(mode="json"))


async def decide(request: Request) -> Response:
    """Answer an approval; streams what follows."""
    sent = await body(request, DecisionBody)
    known = services(request)
    approve = sent.decision == "approve"
    # Before the stream begins: a wrong or missing proof, or an answer that came too late, is a problem of the request.
    found = known.approvals.check(request.path_params["id"], approve, sent.bound_to, sent.proof)
    tongue = language(request, known.language)
    turn = new_turn(sent.decision, found.session, sent.surface, tongue)
    events = known.conversation.decide(found.id, approve=approve, bound_to=sent.bound_to, turn=turn, proof=sent.proof)
    return stream(known.running.run(turn, events))


async def undo(request: Request) -> Response:
    """Take back the newest act of a session; streams what follows."""
    sent = await body(request, SessionBody)
    known = services(request)
    turn = new_turn("undo", sent.session, "api", language(request, known.language))
    return stream(known.running.run(turn, known.conversation.undo(turn)))


async def outbox(request: Request) -> Response:
    """Outward acts, the newest first."""
    operations = await services(request).outbox.list()
    return answer({"items": [operation.model_dump(mode="json") for operation in operations]})


async def cancel_operation(request: Request) -> Response:
    """Undo an act that is still held."""
    receipt = await services(request).outbox.cancel(request.path_params["id"])
    return answer(receipt.model_dump(mode="json"))


async def resolve_operation(request: Request) -> Response:
    """Say whether an act whose outcome is unknown happened."""
    sent = await body(request, ResolutionBody)
    receipt = await services(request).outbox.resolve(request.path_params["id"], happened=sent.happened)
    return answer(receipt.model_dump(mode="json"))


async def audit(request: Request) -> Response:
    """The newest audit entries."""
    query = parse(json.dumps(dict(request.query_params)), AuditQuery)
    entries = services(request).audit.entries(limit=query.limit, since=query.since)
    return answer({"items": [entry.model_dump(mode="json") for entry in entries]})


async def verify_audit(request: Request) -> Response:
    """Check the audit's chain."""
    return answer(services(request).audit.verify().model_dump(mode="json"))


async def models(request: Request) -> Response:
    """Language models that are installed or can be had."""
    known = services(request)
    items = [
        {
            "name": one.name,
            "kind": one.kind,
            "title": one.entry.title if one.entry else one.name,
            "languages": list(one.entry.languages) if one.entry else [],
            "bytes": one.entry.bytes if one.entry else None,
            "installed": one.installed is not None,
            "fits": one.fits,
            "chosen": one.chosen,
        }
        for one in known.models.list()
    ]
    return answer({"items": items, "chosen": next((one["name"] for one in items if one["chosen"]), None)})


async def use_model(request: Request) -> Response:
    """Choose the model that answers from now on."""
    sent = await body(request, ModelBody)
    known = services(request)
    known.models.use(sent.name)
    if known.engine is not None:
        await known.engine.use(sent.name)
    return answer({"chosen": sent.name})


async def skills(request: Request) -> Response:
    """Skills as they lie in their folders now, and what is wrong with those that could not be loaded."""
    known = services(request)
    tongue = language(request, known.language)
    problems: dict[str, list[dict[str, str]]] = {}
    for fault in look_again(known.skills, known.own_skills):
        message, mend = known.catalogue.explain(fault, tongue)
        problems.setdefault(fault.name, []).append({"message": message, "mend": mend})
    items: list[dict[str, object]] = [
        {
            "name": name,
            "version": found.manifest.version,
            "enabled": found.enabled,
            "loaded": name in known.skills.loaded,
            "changed": found.changed,
            "planned": found.manifest.planned,
            "source": _source(found, known.own_skills),
            "folder": str(found.folder),
            "description": found.manifest.description.get(tongue) or found.manifest.description.get("en", ""),
            "tools": sorted(f"{name}.{tool}" for tool in found.manifest.tools),
            "contained": "" if found.bundled else machine.look().kind,
        }
        for name, found in sorted(known.skills.known.items())
    ]
    unknown = sorted(problems.keys() - known.skills.known.keys())
    items += [{"name": name, "enabled": False, "loaded": False, "source": "user"} for name in unknown]
    for item in items:
        told = problems.get(str(item["name"]), [])
        item |= {"problem": told[0]["message"] if told else None, "problems": told}
    return answer({"items": items})


async def survey_skills(request: Request) -> Response:
    """What the skills from elsewhere may do, what contains them, and what they reached."""
    known = services(request)
    tongue = language(request, known.language)
    items = known.survey()
    for item in items:
        for one in item["warnings"]:
            one["message"] = known.catalogue.text(tongue, f"skillkit.warning.{one['key']}", **one)
    return answer({"items": items})


def _source(skill: Known, own: Path) -> str:
    """`bundled`, `user` (a folder of the user's) or `package` (installed by pip)."""
    if skill.bundled:
        return "bundled"
    return "user" if skill.folder.is_relative_to(own) else "package"

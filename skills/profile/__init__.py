"""What the assistant knows about its user, told and taken back in words. What is known is kept by the program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from assistant.skillkit import (
    AskAgain,
    Context,
    Fact,
    NotConfigured,
    NotFound,
    Pause,
    Profile,
    Recalled,
    Rejected,
    Result,
    tool,
    undo,
)

from .about import everything, matching

_LONGEST = 1_000
_SHOWN = 5
_CHOICES = 6


@tool
async def remember(ctx: Context, fact: str) -> Result:
    """Keep a fact about the user, their people or what they like.

    fact: what is to be remembered, in the user's words
    """
    if not fact.strip():
        raise AskAgain("profile.no_fact", missing=("fact",))
    if len(fact) > _LONGEST:
        raise Rejected("profile.too_long")
    profile = _profile(ctx)
    before = {one.id for one in profile.facts()}
    kept = profile.remember(fact.strip(), ctx.operation, language=ctx.language)
    if not kept:
        raise Rejected("profile.nothing_new")
    known = all(one.id in before for one in kept)
    lines = [ctx.text("profile.known" if known else "profile.kept", facts=_sentences(ctx, kept))]
    new = {one.id for one in kept}
    old = [one for one in profile.facts(history=True) if one.id in before and one.superseded_by in new]
    if old:
        lines.append(ctx.text("profile.instead_of", facts=_sentences(ctx, old)))
    return Result(
        text="\n".join(lines),
        data={"items": [_item(ctx, one) for one in kept]},
        undo={"source": ctx.operation},
    )


@tool
async def recall(ctx: Context, query: str) -> Result:
    """Tell what is known about the user, their people or what they like.

    query: what it is about; "me" for everything
    """
    if not query.strip():
        raise AskAgain("profile.no_query", missing=("query",))
    profile = _profile(ctx)
    known = profile.facts()
    if everything(query):
        return _all(ctx, known)
    facts = list(profile.asked(query)) or matching(query, known, ctx.user)
    found = [] if facts else await profile.recall(query, limit=_SHOWN)
    facts = facts or _facts_of(found, profile.enough)
    if facts:
        shown = facts[:_SHOWN]
        lines = [ctx.text("profile.line", fact=_tell(ctx, one), how=_how(ctx, one)) for one in shown]
        return Result(text="\n".join(lines), data={"items": [_item(ctx, one) for one in shown]})
    said = [one.evidence for one in found if one.score >= profile.enough][:_SHOWN]
    if said:
        quotes = [ctx.text("profile.said", at=one.at.astimezone(ctx.zone).date(), text=one.text) for one in said]
        return Result(text="\n".join(quotes), data={"items": []})
    return Result(text=ctx.text("profile.unknown"), data={"items": []})


@tool
async def forget(ctx: Context, query: str) -> Result:
    """Forget something that is known about the user.

    query: what is to be forgotten, in the user's words
    """
    if not query.strip():
        raise AskAgain("profile.no_query", missing=("query",))
    if everything(query):
        raise Rejected("profile.not_all_at_once")
    facts = _meant(ctx, query, "profile.which")
    done = await _profile(ctx).forget([one.id for one in facts])
    lines = [ctx.text("profile.forgotten")]
    if done.left:
        lines.append(ctx.text("profile.left", files=list(done.left)))
    return Result(text="\n".join(lines), data={"count": done.count})


@tool
async def why(ctx: Context, query: str) -> Result:
    """Tell how something about the user is known: the words that say so, and when they were said.

    query: the fact, in the user's words
    """
    if not query.strip():
        raise AskAgain("profile.no_query", missing=("query",))
    profile, lines = _profile(ctx), []
    facts = _meant(ctx, query, "profile.which_why")
    for one in facts:
        lines.append(_tell(ctx, one))
        said = profile.why(one.id)[-_SHOWN:]
        lines += [ctx.text("profile.said", at=one.at.astimezone(ctx.zone).date(), text=one.text) for one in said]
    return Result(text="\n".join(lines), data={"items": [_item(ctx, one) for one in facts]})


@tool
async def pause(ctx: Context, until: datetime | None = None) -> Result:
    """Stop learning about the user from what they say, until a time or for good.

    until: when learning goes on, only if the user says so
    """
    hands = _profile(ctx).hands
    before = hands.paused()
    found = hands.pause(until)
    text = ctx.text("profile.paused_until", until=found.until) if found.until else ctx.text("profile.paused")
    return Result(text=text, undo={"tool": "pause", "until": _iso(before), "was": before is not None})


@tool
async def resume(ctx: Context) -> Result:
    """Learn about the user from what they say again."""
    hands = _profile(ctx).hands
    before = hands.paused()
    hands.resume()
    text = "profile.resumed" if hands.stats().learns else "profile.not_learning"
    return Result(text=ctx.text(text), undo={"tool": "resume", "until": _iso(before), "was": before is not None})


@tool
async def never(ctx: Context, topic: str) -> Result:
    """Learn nothing about a topic any more.

    topic: what nothing shall be learned about, in the user's words
    """
    if not topic.strip():
        raise AskAgain("profile.no_topic", missing=("topic",))
    profile = _profile(ctx)
    new = profile.hands.bar(topic)
    lines = [ctx.text("profile.never", topic=topic)]
    known = matching(topic, profile.facts(history=True), ctx.user)
    if known:
        lines.append(ctx.text("profile.never_known", count=len(known)))
    return Result(text="\n".join(lines), undo={"tool": "never", "topic": topic if new else ""})


@tool
async def export(ctx: Context) -> Result:
    """Write all that is known about the user to a file."""
    file = await _profile(ctx).hands.export(None, "json", ctx.language)
    return Result(text=ctx.text("profile.exported", file=str(file)), undo={"tool": "export", "file": str(file)})


@undo("remember")
async def take_back(ctx: Context, record: dict[str, Any]) -> Result:
    """What was remembered is not known any more; what it had taken the place of is known again."""
    _profile(ctx).take_back(record["source"])
    return Result(text=ctx.text("profile.taken_back"))


@undo("pause", "resume", "never", "export")
async def as_before(ctx: Context, record: dict[str, Any]) -> Result:
    """The pause, the topic or the file is as it was."""
    hands = _profile(ctx).hands
    if record["tool"] == "export":
        await hands.remove_export(Path(record["file"]))
    elif record["tool"] == "never":
        hands.unbar(record["topic"])
    elif record["was"]:
        until = datetime.fromisoformat(record["until"]) if record["until"] else None
        if until is None or until > ctx.now:
            hands.pause(until)
    else:
        hands.resume()
    return Result(text=ctx.text(f"profile.undone.{record['tool']}"))


def _meant(ctx: Context, query: str, which: str) -> list[Fact]:
    """The facts that the words mean. Raises NotFound, and AskAgain where they fit several."""
    known = _profile(ctx).facts(history=True)
    told = [one for one in known if _tell(ctx, one).casefold() == query.strip().casefold()]
    facts = told or matching(query, known, ctx.user)
    if not facts:
        raise NotFound("profile.not_known", query=query)
    sentences = list(dict.fromkeys(_sentences(ctx, facts)))
    if len(sentences) > 1:
        raise AskAgain(which, missing=("query",), choices=sentences[:_CHOICES])
    return facts


def _iso(pause: Pause | None) -> str:
    return pause.until.isoformat() if pause and pause.until else ""


def _profile(ctx: Context) -> Profile:
    if ctx.profile is None:
        raise NotConfigured("profile.none")
    return ctx.profile


def _all(ctx: Context, known: Sequence[Fact]) -> Result:
    """Everything, under headings in the order of the kinds."""
    profile = _profile(ctx)
    if not known:
        return Result(text=ctx.text("profile.nothing"), data={"items": []})
    lines = [ctx.text("profile.all", count=len(known))]
    for kind, facts in groupby(sorted(known, key=lambda one: profile.kinds.index(one.kind)), key=lambda one: one.kind):
        lines.append(ctx.text("profile.heading", kind=profile.heading(kind, ctx.language)))
        lines += [ctx.text("profile.item", fact=_tell(ctx, one)) for one in facts]
    return Result(text="\n".join(lines), data={"items": [_item(ctx, one) for one in known]})


def _facts_of(found: Iterable[Recalled], enough: float) -> list[Fact]:
    """The facts that hold among what was found well enough, best first, each once."""
    facts: dict[str, Fact] = {}
    for one in found:
        for fact in one.facts:
            if fact.superseded_by is None and fact.valid_to is None and one.score >= enough:
                facts.setdefault(fact.id, fact)
    return list(facts.values())


def _how(ctx: Context, fact: Fact) -> str:
    """How it is known: when it was said, and how often."""
    at = fact.last_confirmed_at.astimezone(ctx.zone).date()
    return ctx.text("profile.how", at=at, count=fact.evidences)


def _tell(ctx: Context, fact: Fact) -> str:
    return _profile(ctx).tell(fact, ctx.language)


def _sentences(ctx: Context, facts: Iterable[Fact]) -> list[str]:
    return [_tell(ctx, one) for one in facts]


def _item(ctx: Context, fact: Fact) -> dict[str, Any]:
    return {
        "fact_id": fact.id,
        "kind": fact.kind,
        "subject": fact.subject,
        "value": fact.value,
        "text": _tell(ctx, fact),
        "since": fact.valid_from.astimezone(ctx.zone).date().isoformat(),
    }

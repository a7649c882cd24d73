"""What the assistant knows about its user, told and taken back in words. What is known is kept by the program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from assistant.skillkit import (
    AskAgain,
    Context,
    Fact,
    NotConfigured,
    NotFound,
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
        data={"facts": [_item(ctx, one) for one in kept]},
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
        return Result(text="\n".join(lines), data={"facts": [_item(ctx, one) for one in shown]})
    said = [one.evidence for one in found if one.score >= profile.enough][:_SHOWN]
    if said:
        quotes = [ctx.text("profile.said", at=one.at.astimezone(ctx.zone).date(), text=one.text) for one in said]
        return Result(text="\n".join(quotes), data={"facts": []})
    return Result(text=ctx.text("profile.unknown"), data={"facts": []})


@tool
async def forget(ctx: Context, query: str) -> Result:
    """Forget something that is known about the user.

    query: what is to be forgotten, in the user's words
    """
    if not query.strip():
        raise AskAgain("profile.no_query", missing=("query",))
    if everything(query):
        raise Rejected("profile.not_all_at_once")
    profile = _profile(ctx)
    known = profile.facts(history=True)
    told = [one for one in known if _tell(ctx, one).casefold() == query.strip().casefold()]
    facts = told or matching(query, known, ctx.user)
    if not facts:
        raise NotFound("profile.not_known", query=query)
    sentences = list(dict.fromkeys(_sentences(ctx, facts)))
    if len(sentences) > 1:
        raise AskAgain("profile.which", missing=("query",), choices=sentences[:_CHOICES])
    await profile.forget([one.id for one in facts])
    return Result(text=ctx.text("profile.forgotten"), data={"count": len(facts)})


@undo("remember")
async def take_back(ctx: Context, record: dict[str, Any]) -> Result:
    """What was remembered is not known any more; what it had taken the place of is known again."""
    _profile(ctx).take_back(record["source"])
    return Result(text=ctx.text("profile.taken_back"))


def _profile(ctx: Context) -> Profile:
    if ctx.profile is None:
        raise NotConfigured("profile.none")
    return ctx.profile


def _all(ctx: Context, known: Sequence[Fact]) -> Result:
    """Everything, under headings in the order of the kinds."""
    profile = _profile(ctx)
    if not known:
        return Result(text=ctx.text("profile.nothing"), data={"facts": []})
    lines = [ctx.text("profile.all", count=len(known))]
    for kind, facts in groupby(sorted(known, key=lambda one: profile.kinds.index(one.kind)), key=lambda one: one.kind):
        lines.append(ctx.text("profile.heading", kind=profile.heading(kind, ctx.language)))
        lines += [ctx.text("profile.item", fact=_tell(ctx, one)) for one in facts]
    return Result(text="\n".join(lines), data={"facts": [_item(ctx, one) for one in known]})


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

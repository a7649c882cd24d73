"""Which occurrences of a series are meant: one, one and all that follow, or all. Asks only where nothing says it.

An occurrence has an id of its own, the event's with the time at which the series has it: `yoga.ics@2026-12-01T18:30`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from assistant.skillkit import AskAgain, Context, NotFound

from .expand import Occurrence, occurrences
from .library import Entry, Library, line
from .series import first_from, has, is_first
from .wording import day, when

Scope = Literal["one", "following", "all"]
_OCCURRENCE = re.compile(r"(.+)@(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?))?")
_AHEAD = timedelta(days=800)
_WORDS: tuple[tuple[Scope, re.Pattern[str]], ...] = (
    (
        "following",
        re.compile(
            r"\bfollowing\b|\bonwards?\b|\bfuture\b|\blater\b|\bfrom\b.*\bon\b|\bafter\b|\bremaining\b|\brest\b"
            r"|以后|之后|今后|往后|起|开始|后面|余下|剩下",
            re.IGNORECASE,
        ),
    ),
    (
        "one",
        re.compile(
            r"\bonly\b|\bjust\b|\bonce\b|\bone\b|\bsingle\b|\bthis time\b|\bthe next\b"
            r"|只|仅|就这|单独|这(?:一)?次|这(?:一)?场|本次|一次",
            re.IGNORECASE,
        ),
    ),
    (
        "all",
        re.compile(
            r"\ball\b|\bevery\b|\bwhole\b|\bseries\b|\beach\b|\bentire\b|\balways\b|全部|所有|整个|系列|每(?:次|一次|周|天)|都",
            re.IGNORECASE,
        ),
    ),
)


@dataclass(frozen=True)
class Target:
    """An event and what of it is meant."""

    entry: Entry
    scope: Scope = "all"
    at: datetime | None = None
    """Of a series: the occurrence that is meant, or from which on; wall-clock, as the series has it."""


def occurrence_id(entry: Entry, one: Occurrence) -> str:
    """The id of one occurrence of a series, the event's own for others."""
    if one.original is None:
        return entry.id
    return f"{entry.id}@{one.original.date() if entry.item.main.all_day else one.original.isoformat()}"


def scope_of(words: str) -> Scope | None:
    """What words say about it."""
    return next((scope for scope, pattern in _WORDS if pattern.search(words)), None)


def target(
    ctx: Context, library: Library, event_id: str, *, scope: str | None, since: date | None, asks: bool
) -> Target:
    """What is meant; `asks`: whether it makes a difference here. Raises NotFound, AskAgain."""
    entry, at = _found(library, event_id)
    if not entry.item.main.repeats:
        return Target(entry)
    said = scope_of(scope) if scope and scope.strip() else None
    if since is not None:
        at = first_from(entry.item, _wall(ctx, entry, since))
        if at is None:
            raise NotFound("calendar.none_after", title=line(entry.item.main.title), day=since)
        said = "following"
    if at is not None and said is None:
        return Target(entry, "one", at)
    if said is None and not asks:
        return Target(entry)
    upcoming = _next(ctx, entry)
    if said is None and (upcoming is None or not _goes_on(ctx, entry)):
        return Target(entry)
    if said is None:
        raise AskAgain("calendar.which_scope", missing=["scope"], choices=_choices(ctx, upcoming))
    if said != "all" and at is None:
        at = upcoming.original if upcoming else first_from(entry.item, datetime.min.replace(year=2))
    if at is not None and said == "following" and is_first(entry.item, at):
        said = "all"
    return Target(entry, said, at)


def split_id(event_id: str) -> tuple[str, datetime | None]:
    """The event's id and the occurrence's time, where it names one."""
    match = _OCCURRENCE.fullmatch(event_id.strip())
    if match is None:
        return event_id.strip(), None
    try:
        return match[1], datetime.combine(date.fromisoformat(match[2]), time.fromisoformat(match[3] or "00:00"))
    except ValueError:
        return event_id.strip(), None


def on_day_of(ctx: Context, entry: Entry, at: datetime, start: datetime, *, either: bool) -> datetime:
    """A time that was said without a day ("to 10"), on the day of the occurrence.

    `either`: in the half of the day that is nearer to when it was.
    """
    own = entry.item.main.zone or ctx.zone
    wall = start.astimezone(own).replace(tzinfo=None)
    day = datetime.combine(at.date(), wall.time())
    if either and not entry.item.main.all_day:
        halves = (day.replace(hour=day.hour % 12), day.replace(hour=day.hour % 12 + 12))
        day = min(halves, key=lambda one: abs(one - at))
    return day.replace(tzinfo=own).astimezone(ctx.zone)


def _found(library: Library, event_id: str) -> tuple[Entry, datetime | None]:
    plain, at = split_id(event_id)
    if at is None:
        return library.entry(plain), None
    entry = library.entry(plain)
    if not entry.item.main.repeats:
        return entry, None
    if not has(entry.item, at):
        raise NotFound("calendar.no_such_event", id=line(event_id, 80))
    return entry, at


def _wall(ctx: Context, entry: Entry, since: date) -> datetime:
    own = entry.item.main.zone
    start = datetime.combine(since, time.min)
    return start if own is None else start.replace(tzinfo=ctx.zone).astimezone(own).replace(tzinfo=None)


def _next(ctx: Context, entry: Entry) -> Occurrence | None:
    ahead = occurrences(entry.item, ctx.now, ctx.now + _AHEAD, ctx.zone)
    return next((one for one in ahead if one.original is not None), None)


def _goes_on(ctx: Context, entry: Entry) -> bool:
    """Whether more than one of it is still to come."""
    return len(occurrences(entry.item, ctx.now, ctx.now + _AHEAD, ctx.zone)) > 1


def _choices(ctx: Context, upcoming: Occurrence | None) -> list[str]:
    assert upcoming is not None
    told = when(ctx, upcoming.start, upcoming.end, upcoming.event.all_day)
    return [
        ctx.text("calendar.scope_one", when=told),
        ctx.text("calendar.scope_following", day=day(ctx, upcoming.start.date())),
        ctx.text("calendar.scope_all"),
    ]

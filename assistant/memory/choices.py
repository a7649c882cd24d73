"""What somebody will choose next, from what they chose before and when. Pure: keeps nothing, knows no tool.

Several views of the past (all of it, workdays and weekends, each day of the week, the parts of a day) each remember
quickly or slowly, and are believed as much as they were right of late (exponentially weighted experts with a fixed
share, Herbster and Warmuth 1998). A view's memory halves with every `HALF` uses, not days: what is chosen once a week
is not forgotten sooner than what is chosen daily, and a choice that is made daily and changes is followed within a
week.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

HALF = 4.0
"""Uses after which one counts half, where a usual choice is told, filled in or proposed."""
LEAST = 3
"""A choice that was made less often is no habit;"""
SHARE = 0.6
"""nor one that makes up less of the choices in its situation, the newer counting more."""
WINDOW = 16
"""So many uses are told of: "14 of 16 times"."""
_HALVES = (2.0, 8.0)
_LOOKED_AT = 240
"""Of more uses the newest."""
_PRIOR = 0.7
"""What a wider view counts beside what a narrower one has seen, in uses."""
_LEARNED = 0.9
"""What an expert's record keeps from one use to the next."""
_SHARED = 0.03
_FEW = 0.02
"""Stays for a choice that was never made."""


@dataclass(frozen=True)
class Use:
    """A choice that was made."""

    value: str
    at: datetime
    """In the user's zone."""
    about: str = ""
    """What it was chosen for: whom, or what of."""


@dataclass(frozen=True)
class Usual:
    """What is usually chosen."""

    value: str
    times: int
    of: int
    """Out of so many times in this situation."""
    view: str
    """The situation: one of `VIEWS`."""
    about: str = ""


def _always(at: datetime) -> str:
    return ""


def _week(at: datetime) -> str:
    return "weekend" if at.weekday() >= 5 else "workday"


def _weekday(at: datetime) -> str:
    return f"day{at.weekday()}"


def _part(at: datetime) -> str:
    return ("night", "morning", "afternoon", "evening")[at.hour // 6]


def _week_part(at: datetime) -> str:
    return f"{_week(at)}.{_part(at)}"


def _weekday_part(at: datetime) -> str:
    return f"{_weekday(at)}.{_part(at)}"


VIEWS: Mapping[str, Callable[[datetime], str]] = {
    "always": _always,
    "week": _week,
    "part": _part,
    "weekday": _weekday,
    "week_part": _week_part,
    "weekday_part": _weekday_part,
}
_WIDER = {"week": "always", "part": "always", "weekday": "week", "week_part": "part", "weekday_part": "week_part"}


class Foresight:
    """All that is believed of one kind of choice; shown each use in its order."""

    def __init__(self) -> None:
        self._values: dict[str, None] = {}
        self._chains = [[_Expert(view, half) for view in VIEWS] for half in _HALVES]

    def see(self, use: Use) -> None:
        """A choice was made."""
        self._values.setdefault(use.value)
        for chain in self._chains:
            told = _told(chain, use.at, self._values)
            for expert, shares in zip(chain, told, strict=True):
                expert.record = _LEARNED * expert.record + math.log(shares[use.value] + _FEW)
                expert.see(use)

    def ranked(self, at: datetime) -> list[tuple[str, float]]:
        """The choices by how likely each is next at that moment, with its share of the belief."""
        experts = [expert for chain in self._chains for expert in chain]
        told = [shares for chain in self._chains for shares in _told(chain, at, self._values)]
        total = dict.fromkeys(self._values, 0.0)
        for weight, shares in zip(_belief([expert.record for expert in experts]), told, strict=True):
            for value, share in shares.items():
                total[value] += weight * share
        return sorted(total.items(), key=lambda one: -one[1])


def ranked(uses: Sequence[Use], at: datetime, about: str = "") -> list[tuple[str, float]]:
    """The choices by how likely each is next, the newest uses looked at; `uses` oldest first."""
    foresight = Foresight()
    for use in _of(uses, about)[-_LOOKED_AT:]:
        foresight.see(use)
    return foresight.ranked(at)


def usual(uses: Sequence[Use], at: datetime, about: str = "") -> Usual | None:
    """What is usual at that moment; None where nothing is often enough, or clear enough."""
    order = ranked(uses, at, about)
    if not order:
        return None
    seen = _of(uses, about)
    told = seen[0].about if seen and about and all(one.about == about for one in seen) else ""
    views = sorted(VIEWS, key=lambda name: -len([use for use in seen if VIEWS[name](use.at) == VIEWS[name](at)]))
    for view in views:  # the widest situation in which it is so is the one that is told
        within = [use for use in seen if VIEWS[view](use.at) == VIEWS[view](at)]
        found = clear(within)
        if found is not None and found.value == order[0][0]:
            return Usual(found.value, found.times, found.of, view, told)
    return None


def clear(uses: Sequence[Use]) -> Usual | None:
    """The choice that is made often enough, and by far the most, among uses of one situation (oldest first)."""
    weights: dict[str, float] = {}
    for age, use in enumerate(reversed(uses)):
        weights[use.value] = weights.get(use.value, 0.0) + 2 ** (-age / HALF)
    best = max(weights, key=lambda value: weights[value], default=None)
    if best is None or weights[best] < SHARE * sum(weights.values()):
        return None
    window = uses[-WINDOW:]
    times = sum(use.value == best for use in window)
    return Usual(best, times, len(window), "always") if times >= LEAST else None


def _of(uses: Sequence[Use], about: str) -> list[Use]:
    """The uses for the same thing, where there are enough of them; else all."""
    same = [use for use in uses if about and use.about == about]
    return same if len(same) >= LEAST else list(uses)


class _Expert:
    """One view of the past, with a memory of one length."""

    def __init__(self, view: str, half: float) -> None:
        self.view = view
        self._fades = 2 ** (-1 / half)
        self.record = 0.0
        """How right it was: decayed sum of log-shares."""
        self._counts: dict[str, dict[str, float]] = {}

    def see(self, use: Use) -> None:
        """A choice was made."""
        counts = self._counts.setdefault(VIEWS[self.view](use.at), {})
        for value in counts:
            counts[value] *= self._fades
        counts[use.value] = counts.get(use.value, 0.0) + 1

    def counts(self, at: datetime) -> Mapping[str, float]:
        """What was chosen in the situation of that moment."""
        return self._counts.get(VIEWS[self.view](at), {})


def _told(chain: Sequence[_Expert], at: datetime, values: Collection[str]) -> list[dict[str, float]]:
    """What each expert says of that moment: its own counts, and a little of what the wider view says."""
    shares: dict[str, dict[str, float]] = {}
    for expert in chain:
        counts = expert.counts(at)
        wider = shares.get(_WIDER.get(expert.view, ""))
        total = sum(counts.values()) + _PRIOR
        shares[expert.view] = {
            value: (counts.get(value, 0.0) + _PRIOR * (wider[value] if wider else 1 / len(values))) / total
            for value in values
        }
    return list(shares.values())


def _belief(records: Sequence[float]) -> list[float]:
    """Weights that sum to 1; each expert keeps a share, so that another one can take over."""
    best = max(records)
    weights = [math.exp(record - best) for record in records]
    total = sum(weights)
    return [(1 - _SHARED) * weight / total + _SHARED / len(weights) for weight in weights]

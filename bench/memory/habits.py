"""How well the next choice of made-up users is foretold: 30 users, 60 days, a change of habits on day 30, 15% noise.

Seeded, so that every run is the same. Each user chooses three kinds of things (a list, a time, a seat …), each by a
rule of its own: always the same, by workday and weekend, by day of the week, by the part of the day, or by both. What
the rules are is known to the simulator alone. No model, no database of a daemon; seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from assistant.memory.choices import Use, ranked

USERS, DAYS, DRIFT, NOISE = 30, 60, 30, 0.15
_START = datetime(2026, 1, 5, tzinfo=UTC)
_OPTIONS = 5
_WARM = 7
"""Days after which it is counted: nobody can know a stranger."""
_HOURS = (8, 13, 19)
Predict = Callable[[Sequence[Use], datetime], str]
_RULES: tuple[tuple[str, Callable[[datetime], object]], ...] = (
    ("one", lambda at: 0),
    ("week", lambda at: at.weekday() >= 5),
    ("weekday", lambda at: at.weekday()),
    ("part", lambda at: at.hour // 6),
    ("both", lambda at: (at.weekday() >= 5, at.hour // 6)),
)


@dataclass(frozen=True)
class Series:
    """The choices of one user in one thing."""

    rule: str
    uses: tuple[Use, ...]


def simulated(seed: int = 0) -> list[Series]:
    """All series of all users."""
    dice = random.Random(seed)
    return [_series(dice) for _ in range(USERS) for _ in range(3)]


def _series(dice: random.Random) -> Series:
    name, situation = dice.choice(_RULES)
    options = [f"option{number}" for number in range(_OPTIONS)]
    daily = dice.choice((0.5, 0.8, 1.0))
    habits: dict[object, str] = {}
    uses = []
    for day in range(DAYS):
        if day == DRIFT:
            habits = {key: dice.choice([one for one in options if one != value]) for key, value in habits.items()}
        for hour in _HOURS:
            if dice.random() > daily:
                continue
            at = _START + timedelta(days=day, hours=hour, minutes=dice.randrange(-50, 50))
            usual = habits.setdefault(situation(at), dice.choice(options))
            others = [one for one in options if one != usual]
            uses.append(Use(dice.choice(others) if dice.random() < NOISE else usual, at))
    return Series(name, tuple(uses))


def most_frequent(past: Sequence[Use], at: datetime) -> str:
    """Baseline: what was chosen most often."""
    counts: dict[str, int] = {}
    for use in past:
        counts[use.value] = counts.get(use.value, 0) + 1
    return max(counts, key=lambda value: counts[value], default="")


def most_recent(past: Sequence[Use], at: datetime) -> str:
    """Baseline: what was chosen last."""
    return past[-1].value if past else ""


def by_bucket(past: Sequence[Use], at: datetime) -> str:
    """Baseline: what was chosen most often in the same part of a workday or of a weekend."""
    bucket = (at.weekday() >= 5, at.hour // 6)
    return most_frequent([use for use in past if (use.at.weekday() >= 5, use.at.hour // 6) == bucket] or past, at)


def ours(past: Sequence[Use], at: datetime) -> str:
    """What the product says."""
    order = ranked(past, at)
    return order[0][0] if order else ""

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

from assistant.memory.choices import Foresight, Use
from assistant.memory.habits import times_due
from bench.memory.home import Workshop
from bench.memory.recalling import Figures

USERS, DAYS, DRIFT, NOISE = 30, 60, 30, 0.15
_START = datetime(2026, 1, 5, tzinfo=UTC)
_OPTIONS = 5
_SEED = 0
_WARM = 7
"""Days after which it is counted: nobody can know a stranger."""
_HOURS = (8, 13, 19)
_ACTS = 3
_BACK = 0.9
_DAILY = ("one", "part")
"""Rules whose situations all come up every day: of the others a week shows each but once."""
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


def simulated(seed: int = _SEED) -> list[Series]:
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


def by_recent_bucket(past: Sequence[Use], at: datetime) -> str:
    """Baseline, a stronger one: what was chosen last in the same part of a workday or of a weekend."""
    bucket = (at.weekday() >= 5, at.hour // 6)
    return most_recent([use for use in past if (use.at.weekday() >= 5, use.at.hour // 6) == bucket] or past, at)


_BASELINES: dict[str, Predict] = {
    "mfu": most_frequent,
    "mru": most_recent,
    "bucket": by_bucket,
    "bucket_mru": by_recent_bucket,
}


FIGURES = (
    "habit_hit1",
    "habit_hit1_mfu",
    "habit_hit1_mru",
    "habit_hit1_bucket",
    "habit_hit1_bucket_mru",
    "habit_recover_days",
    "habit_recover_days_all",
    "habit_false_suggestions_per_day",
    "habit_right_suggestions_per_day",
)


async def measured(_shop: Workshop, _most: int = 0) -> Figures:
    """Hits of the next choice in percent, days until they are back after the change, false suggestions a day."""
    every = simulated(_SEED)
    ours = [(one, use, hit) for one in every for use, hit in _hits(one)]
    figures: Figures = {"habit_hit1": _percent([hit for _, _, hit in ours])}
    for name, predict in _BASELINES.items():
        hits = [
            predict(one.uses[:place], use.at) == use.value
            for one in every
            for place, use in enumerate(one.uses)
            if _day(use.at) >= _WARM
        ]
        figures[f"habit_hit1_{name}"] = _percent(hits)
    daily = [(use, hit) for one, use, hit in ours if one.rule in _DAILY]
    figures["habit_recover_days"] = _recovered(daily)
    figures["habit_recover_days_all"] = _recovered([(use, hit) for _, use, hit in ours])
    return figures | _suggested(random.Random(_SEED))


def _hits(series: Series) -> list[tuple[Use, bool]]:
    """Whether each choice was foretold, once there was something to know."""
    foresight, found = Foresight(), []
    for use in series.uses:
        order = foresight.ranked(use.at)
        foresight.see(use)
        if _day(use.at) >= _WARM:
            found.append((use, bool(order) and order[0][0] == use.value))
    return found


def _recovered(hits: Sequence[tuple[Use, bool]]) -> int | None:
    """Days after the change until the hits of a day are nine tenths of those in the ten days before it."""
    before = _percent([hit for use, hit in hits if DRIFT - 10 <= _day(use.at) < DRIFT])
    for day in range(DRIFT, DAYS):
        if _percent([hit for use, hit in hits if _day(use.at) == day]) >= _BACK * before:
            return day - DRIFT
    return None


def _suggested(dice: random.Random) -> dict[str, float | int | None]:
    """What each user is reminded of: one thing a day at most; false where it is not done later that day."""
    right = false = 0
    for _ in range(USERS):
        past: list[list[datetime]] = [[] for _ in range(_ACTS)]
        acts = [(dice.randrange(7), dice.choice(_HOURS)) for _ in past]
        for day in range(DAYS):
            if day == DRIFT:
                acts = [(dice.randrange(7), dice.choice(_HOURS)) for _ in past]
            done = [_done(dice, day, *act) for act in acts]
            told = _first_told(past, day)
            right += told is not None and done[told] is not None
            false += told is not None and done[told] is None
            for own, at in zip(past, done, strict=True):
                own += [] if at is None else [at]
    return {
        "habit_false_suggestions_per_day": round(false / (USERS * DAYS), 3),
        "habit_right_suggestions_per_day": round(right / (USERS * DAYS), 3),
    }


def _done(dice: random.Random, day: int, weekday: int, hour: int) -> datetime | None:
    """When an act is done on a day; with noise it is left out on its own day, and done on another one."""
    at = _START + timedelta(days=day, hours=hour, minutes=dice.randrange(0, 40))
    own = at.weekday() == weekday
    return at if (dice.random() >= NOISE if own else dice.random() < NOISE / 6) else None


def _first_told(past: Sequence[Sequence[datetime]], day: int) -> int | None:
    """The act that is brought to mind first on a day, where one is."""
    for hour in range(6, 23):
        at = _START + timedelta(days=day, hours=hour)
        for number, moments in enumerate(past):
            if times_due(moments, at):
                return number
    return None


def _day(at: datetime) -> int:
    return (at - _START).days


def _percent(hits: Sequence[bool]) -> float:
    return round(100 * sum(hits) / len(hits), 1) if hits else 0.0

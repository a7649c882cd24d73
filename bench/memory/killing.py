"""kill -9 at random moments while the profile is written to: is anything lost or doubled, and does all still agree?

The real daemon is told facts, corrects and forgets some, imports, exports and puts together what says the same, and is
killed meanwhile. What was confirmed must be there after it (`lost`), once (`doubled`); what was cut off is there whole
or not at all; and everything that is kept must fit together (`sound`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from assistant.client import Client
from assistant.clock import FrozenClock
from assistant.errors import AssistantError
from assistant.events import Failed, Reply
from assistant.memory.exports import Form
from assistant.memory.keeper import KeptProfile
from assistant.skillkit.context import Calm
from assistant.store import Database, open_database
from bench.faults.dying import GONE, scripted
from bench.faults.forked import forking
from bench.form import Home
from bench.memory.home import Workshop
from bench.memory.recalling import Figures
from bench.memory.sound import faults
from bench.memory.standin import StandIn

FIGURES = ("kill_lost", "kill_doubled", "kill_inconsistent")
_KILLS, _SEED = 100, 6
_WINDOW_S, _READY_S = 2.0, 120.0
_IN_START = 0.1
"""The share of kills while it starts."""
_IMPORTED = 4
_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class Deed:
    """Something that was asked of the daemon: values that shall be there after it, and values that shall not."""

    there: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    """Known as what was so before."""
    gone: tuple[str, ...] = ()
    acked: bool = False


@dataclass
class Torment:
    """What was asked for, and what came of it."""

    kills: int = 0
    deeds: int = 0
    acked: int = 0
    cut_off: int = 0
    """Deeds that were not confirmed, since it died; each is done wholly or not at all."""
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    inconsistent: list[str] = field(default_factory=list)
    expected: dict[str, str] = field(default_factory=dict)
    """Value → `there`, `past` or `gone`."""
    alike: set[str] = field(default_factory=set)
    """Values that a night puts together; nothing else is done with them."""


async def measured(shop: Workshop, most: int) -> Figures:
    """100 kills (or `most`), each at a random moment."""
    found = await asyncio.to_thread(tormented, most or _KILLS, _SEED)
    for one in (*found.lost, *found.doubled, *found.inconsistent):
        print(one, file=sys.stderr)
    return {
        "kill_lost": len(found.lost),
        "kill_doubled": len(found.doubled),
        "kill_inconsistent": len(found.inconsistent),
        "kill_kills": found.kills,
        "kill_deeds": found.deeds,
        "kill_confirmed": found.acked,
        "kill_cut_off": found.cut_off,
    }


def tormented(kills: int, seed: int) -> Torment:
    """Start, work, kill, look; so many times."""
    found, dice = Torment(), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="bench-profile-") as made, forking():
        folder = Path(made)
        (folder / "exports").mkdir()
        with Home(scripted(folder), start=False) as home:
            for number in range(kills):
                home.spawn()
                deeds = _work(home, folder, found, dice)
                home.stop()
                found.kills += 1
                _look(home, folder, found, deeds)
                if number % 20 == 19:
                    print(f"{number + 1} kills, {found.acked} of {found.deeds} confirmed", file=sys.stderr, flush=True)
            home.start(_READY_S)
            asyncio.run(_asked(home, found))
    return found


# --- at work ---------------------------------------------------------------------------------------------------------


def _work(home: Home, folder: Path, found: Torment, dice: random.Random) -> list[Deed]:
    """Deed after deed until the daemon is killed under it; those of this time."""
    deeds: list[Deed] = []
    if found.kills and dice.random() < _IN_START:
        time.sleep(dice.uniform(0, 1))
        os.kill(home.pid, signal.SIGKILL)
        return deeds
    home.wait_ready(_READY_S, 0.01)
    asyncio.run(_until_killed(home, folder, found, dice, deeds))
    found.deeds += len(deeds)
    found.acked += sum(deed.acked for deed in deeds)
    found.cut_off += sum(not deed.acked for deed in deeds)
    return deeds


async def _until_killed(home: Home, folder: Path, found: Torment, dice: random.Random, deeds: list[Deed]) -> None:
    asyncio.get_running_loop().call_later(dice.uniform(0, _WINDOW_S), os.kill, home.pid, signal.SIGKILL)
    with contextlib.suppress(*GONE):
        async with home.client() as client:
            while True:
                do = dice.choices((_tell, _edit, _forget, _import, _tidy, _export), (6, 3, 3, 2, 2, 1))[0]
                await do(client, folder, found, dice, deeds)


async def _tell(client: Client, folder: Path, found: Torment, dice: random.Random, deeds: list[Deed]) -> None:
    alike = dice.random() < 0.3
    value = _new(found)
    for one in (value, f"{value}s") if alike else (value,):
        if alike:
            found.alike.add(one)
        deeds.append(Deed(there=(one,)))
        events = []
        async for event in client.turn(f"remember that I like {one}", session="kills", surface="api"):
            events.append(event)  # noqa: PERF401 - what came before the end counts
        if any(isinstance(event, Failed) for event in events):
            raise RuntimeError(f"it was refused: {events}")
        deeds[-1].acked = any(isinstance(event, Reply) for event in events)


async def _edit(client: Client, folder: Path, found: Torment, dice: random.Random, deeds: list[Deed]) -> None:
    if (old := _one(found, deeds, dice)) is None:
        return
    number = await _number(client, old)
    new = _new(found)
    deeds.append(Deed(there=(new,), past=(old,)))
    await client.profile.edit(number, new)
    deeds[-1].acked = True


async def _forget(client: Client, folder: Path, found: Torment, dice: random.Random, deeds: list[Deed]) -> None:
    if (old := _one(found, deeds, dice)) is None:
        return
    number = await _number(client, old)
    deeds.append(Deed(gone=(old,)))
    left = await client.profile.forget(number)
    deeds[-1].acked = not left


async def _import(client: Client, folder: Path, found: Torment, dice: random.Random, deeds: list[Deed]) -> None:
    values = tuple(_new(found) for _ in range(_IMPORTED))
    file = folder / "import"
    file.write_text(_document(values, dice.choice(("json", "markdown"))), encoding="utf-8")
    deeds.append(Deed(there=values))
    await client.profile.take(str(file))
    deeds[-1].acked = True


async def _tidy(client: Client, folder: Path, found: Torment, dice: random.Random, deeds: list[Deed]) -> None:
    night = await client.profile.tidy()
    if night["batch"] and dice.random() < 0.3:
        await client.profile.undo(night["batch"])


async def _export(client: Client, folder: Path, found: Torment, dice: random.Random, deeds: list[Deed]) -> None:
    form = dice.choice(("json", "markdown"))
    await client.profile.export(form, str(folder / "exports" / form))


def _new(found: Torment) -> str:
    """A value that was never said; letters alone, so that a night knows its plural."""
    number = len(found.expected)
    value = "sor" + "".join("bcdfghklmn"[int(digit)] for digit in f"{number:05}") + "o"
    found.expected[value] = ""
    return value


def _one(found: Torment, deeds: Iterable[Deed], dice: random.Random) -> str | None:
    """Something that is known for sure, and that nothing was asked of since the start."""
    busy = {value for deed in deeds for value in (*deed.past, *deed.gone)}
    known = [value for value, state in found.expected.items() if state == "there"]
    free = [value for value in known if value not in busy and value not in found.alike]
    return dice.choice(free) if free else None


async def _number(client: Client, value: str) -> str:
    return next(str(one["id"]) for one in await client.profile.facts() if one["value"] == value)


def _document(values: Iterable[str], form: Form) -> str:
    """What another computer exported."""
    db = open_database(":memory:")
    try:
        with tempfile.TemporaryDirectory() as made:
            profile = _profile(db, Path(made))
            for value in values:
                profile.remember(f"I like {value}", f"op:{value}", language="en")
            return profile.hands.text(form, "en")
    finally:
        db.close()


# --- looking ---------------------------------------------------------------------------------------------------------


def _profile(db: Database, folder: Path) -> KeptProfile:
    return KeptProfile(db, FrozenClock(_NOW), folder, StandIn(), Calm())


def _look(home: Home, folder: Path, found: Torment, deeds: Iterable[Deed]) -> None:
    """Open what the kill has left, as the next start does, and hold it against what was confirmed."""
    db = open_database(home.paths.database)
    try:
        profile = _profile(db, home.paths.data / "profile")
        known = _known(profile)
        for deed in deeds:
            _settle(deed, known, found)
        for value, state in found.expected.items():
            _compare(value, state, known.get(value, []), found)
        found.inconsistent += faults(db, profile, home.paths.data / "profile", (home.paths.data, folder))
        asyncio.run(profile.settle())  # vectors, so that there are some to be forgotten
    finally:
        db.close()


def _known(profile: KeptProfile) -> dict[str, list[str]]:
    """Value → the states of the facts that say so."""
    known: dict[str, list[str]] = {}
    for one in profile.facts(history=True):
        holds = one.folded or (one.valid_to is None and one.superseded_by is None)
        known.setdefault(one.value, []).append("there" if holds else "past")
    return known


def _settle(deed: Deed, known: dict[str, list[str]], found: Torment) -> None:
    """What is expected from now on: what was confirmed; of what was cut off, all of it or none."""
    wanted = dict.fromkeys(deed.there, "there") | dict.fromkeys(deed.past, "past") | dict.fromkeys(deed.gone, "gone")
    done = [value for value, state in wanted.items() if _state(known.get(value, [])) == state]
    if deed.acked or len(done) == len(wanted):
        found.expected |= wanted
        return
    found.expected |= {value: "there" if value in (*deed.past, *deed.gone) else "gone" for value in wanted}
    if done:
        found.inconsistent.append(f"only {done} of {wanted} was done")


def _state(states: list[str]) -> str:
    return states[0] if states else "gone"


def _compare(value: str, state: str, states: list[str], found: Torment) -> None:
    """One value: as it was confirmed, and once."""
    if len(states) > 1:
        found.doubled.append(f"{value} is kept {len(states)} times")
    elif state and _state(states) != state:
        found.lost.append(f"{value} is {_state(states)} and should be {state}")


async def _asked(home: Home, found: Torment) -> None:
    """What the daemon itself says at the end."""
    with contextlib.suppress(AssistantError):
        async with home.client() as client:
            told = {str(one["value"]) for one in await client.profile.facts(history=True)}
    missing = [value for value, state in found.expected.items() if (state in ("there", "past")) != (value in told)]
    found.lost += [f"the daemon tells otherwise of {value}" for value in missing if found.expected[value]]

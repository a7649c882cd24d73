"""Two computers and a phone on one calendar, changing it at once in random order: nothing lost, all told, one end.

Every word that somebody wrote is counted: it is in the calendar at the end, or whoever replaced it had seen it, or the
two versions are kept for the user to choose.
"""

from __future__ import annotations

import os
import random
import re
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from assistant.dav.lines import same
from tests.support.davs import Machine, Others, event
from tests.support.servers.dav import Radicale, Xandikos

SEEDS = int(os.environ.get("DAV_SEEDS", "6"))
"""Runs on each server; `DAV_SEEDS=100` for a long look."""
STEPS = 24
_serial = count(1)
_WORD = re.compile(r"w\d+")
_FIELDS = ("SUMMARY", "LOCATION", "DESCRIPTION", "X-NOTE")


@dataclass
class Ledger:
    """What was written, and what somebody who had seen it wrote over."""

    number: int = 0
    alive: set[str] = field(default_factory=set)

    def word(self) -> str:
        self.number += 1
        self.alive.add(f"w{self.number}")
        return f"w{self.number}"

    def seen_and_replaced(self, text: str) -> None:
        self.alive -= set(_WORD.findall(text))


def change_file(machine: Machine, ledger: Ledger, random_: random.Random) -> None:
    """One change on a computer, as a tool or another program makes it."""
    files = sorted(machine.collection().glob("*.ics"))
    action = random_.choice(["new", "change", "change", "change", "delete"]) if files else "new"
    if action == "new":
        uid = f"{ledger.number}-{random_.randrange(10**9)}@machine"
        (machine.collection() / f"{uid}.ics").write_bytes(event(uid, ledger.word()))
        return
    file = random_.choice(files)
    text = file.read_bytes().decode()
    if action == "delete":
        file.unlink()
        ledger.seen_and_replaced(text)
        return
    file.write_bytes(edited(text, ledger, random_).encode())


def edited(text: str, ledger: Ledger, random_: random.Random) -> str:
    name = random_.choice(_FIELDS)
    line = re.search(rf"^{name}:.*?\r?\n", text, re.MULTILINE)
    fresh = f"{name}:{ledger.word()}\r\n"
    if line is None:
        return text.replace("END:VEVENT", f"{fresh}END:VEVENT", 1)
    ledger.seen_and_replaced(line[0])
    return text.replace(line[0], fresh)


def change_elsewhere(others: Others, ledger: Ledger, random_: random.Random) -> None:
    """One change by a phone that knows what is on the server now."""
    items = others.items()
    if not items:
        return
    url, text = items[random_.choice(sorted(items))]
    if random_.random() < 0.2:
        assert others.client.delete(url).is_success
        ledger.seen_and_replaced(text)
    else:
        others.put(url, edited(text, ledger, random_).encode())


def settle(machines: list[Machine]) -> None:
    for _ in range(8):
        if not sum([machine.sync() for machine in machines]):
            return
    raise AssertionError("the two never come to rest")


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("kind", ["radicale", "xandikos"])
def test_nothing_is_lost_and_all_end_the_same(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, seed: int
) -> None:
    server: Radicale | Xandikos = request.getfixturevalue(kind)
    random_, ledger = random.Random(seed), Ledger()
    user = server.user()
    url = server.calendar(user, f"two{next(_serial)}")
    others = Others(server.client(user), url)
    account = server.account(user).model_copy(update={"caldav": url, "carddav": ""})
    machines = [Machine(tmp_path / name, account, user.password) for name in ("one", "two")]
    for _ in range(3):
        others.put(f"{ledger.number}.ics", event(f"{ledger.number}@phone", ledger.word()))
    settle(machines)
    for _ in range(STEPS):
        machine = random_.choice(machines)
        roll = random_.random()
        if roll < 0.65:
            change_file(machine, ledger, random_)
        elif roll < 0.85:
            machine.sync()
        elif roll < 0.95:
            change_elsewhere(others, ledger, random_)
        else:
            machine.restart()
    settle(machines)
    there = {uid: text.encode() for uid, text in others.texts().items()}
    for machine in machines:
        here = machine.files()
        assert here.keys() == there.keys()
        assert all(same(here[uid], there[uid]) for uid in here)
    kept = [one for machine in machines for one in machine.conflicts()]
    shown = b"".join((one.ours or b"") + (one.theirs or b"") for one in kept).decode()
    missing = ledger.alive - set(_WORD.findall(b"".join(there.values()).decode() + shown))
    assert not missing, (missing, [(one.reason, one.uid) for one in kept])
    told = [line for machine in machines for notice in machine.notices for line in notice.body.splitlines()]
    assert sum(bool(machine.conflicts()) for machine in machines) == sum(bool(machine.notices) for machine in machines)
    assert not kept or any("assistant account conflicts" in line for line in told)
    for machine in machines:
        machine.restart()

"""Schedules in a process that is killed again and again, with SIGKILL, at random moments."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assistant.automation.schedules import SqlSchedules
from assistant.clock import SystemClock
from assistant.store.database import open_database

KILLS = 12
SCHEDULES = 60
WORKER = """
import asyncio, os, sys
from pathlib import Path
from assistant.automation.schedules import SqlSchedules
from assistant.clock import SystemClock
from assistant.store.database import open_database

folder = Path(sys.argv[1])
log = os.open(folder / "delivered", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

async def fire(skill, scheduled):
    await asyncio.sleep(0.005)
    os.write(log, (scheduled.key + "\\n").encode())

async def main():
    schedules = SqlSchedules(open_database(folder / "db"), SystemClock("UTC"), fire, tick_s=0.05)
    await schedules.start()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def _run(folder: Path, seconds: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", WORKER, str(folder)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(seconds)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def _nobody(skill: str, scheduled: object) -> None:
    raise AssertionError("nothing fires before the worker runs")


async def test_over_sigkills_nothing_is_lost_and_nothing_written_as_fired_comes_again(tmp_path: Path) -> None:
    chance = random.Random(20261123)
    now = datetime.now(UTC)
    schedules = SqlSchedules(open_database(tmp_path / "db"), SystemClock("UTC"), _nobody)
    for number in range(SCHEDULES):
        # Some are overdue already, the others come due while the worker lives and dies.
        due = now + timedelta(seconds=chance.uniform(-2, 12))
        await schedules.add(f"s{number}", skill="test", due=due, payload={})
    settled: dict[str, int] = {}
    for _ in range(KILLS):
        _run(tmp_path, chance.uniform(0, 0.4))
        delivered = _delivered(tmp_path)
        for key in _fired(tmp_path):
            assert delivered[key] >= 1, f"{key} is written as fired and was never delivered"
            settled.setdefault(key, delivered[key])
    deadline = time.monotonic() + 60
    while _open(tmp_path) and time.monotonic() < deadline:
        _run(tmp_path, 2)
    delivered = _delivered(tmp_path)
    assert set(delivered) == {f"s{number}" for number in range(SCHEDULES)}
    assert settled, "the kills came too early to show anything"
    assert {key: delivered[key] for key in settled} == settled, "delivered again after it was written as fired"
    before = sum(delivered.values())
    _run(tmp_path, 0.5)
    assert sum(_delivered(tmp_path).values()) == before


def _delivered(folder: Path) -> Counter[str]:
    file = folder / "delivered"
    return Counter(file.read_text().split()) if file.exists() else Counter()


def _fired(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "db") as connection:
        keys = [row[0] for row in connection.execute("SELECT key FROM fired")]
    connection.close()
    return keys


def _open(folder: Path) -> int:
    with sqlite3.connect(folder / "db") as connection:
        count = int(connection.execute("SELECT count(*) FROM schedules").fetchone()[0])
    connection.close()
    return count

"""How long a skill from elsewhere takes to start: in a box, behind the fence, and with neither. Median of N (10)."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from assistant.paths import Paths
from assistant.sandbox.machine import Machine, look
from assistant.skillkit.cage import Cage, World
from assistant.skillkit.permitted import Permitted
from assistant.skillkit.process import HostProcess
from assistant.skillkit.scaffold import new_skill
from assistant.skillkit.wire import DESCRIBE


async def _no_secret(_: str) -> None:
    return None


def _no_record(kind: str, /, **_: Any) -> None:
    pass


async def start(here: Machine) -> float:
    """Seconds from nothing to the first answer."""
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        paths = Paths(config=home, data=home / "data", models=home, state=home, run=home / "run")
        cage = Cage(
            skill="diary",
            folder=new_skill("diary", paths.skills),
            data=home / "files",
            permitted=Permitted(),
            machine=here,
            run=paths.run,
            world=World(secret=_no_secret, record=_no_record),
            unchanged=lambda: None,
        )
        host = HostProcess(cage)
        began = time.perf_counter()
        await host.ask(DESCRIBE, {}, {})
        took = time.perf_counter() - began
        await host.aclose()
        return took


async def main(times: int) -> None:
    """Print a line for each kind."""
    here = look()
    kinds = {"boxed": here, "fenced": Machine(landlock=here.landlock, seccomp=here.seccomp), "none": Machine()}
    await start(Machine())
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(times):
        for name, machine in kinds.items():
            found[name].append(await start(machine))
    for name, taken in found.items():
        print(f"{name:7} median {statistics.median(taken) * 1000:5.0f} ms, least {min(taken) * 1000:5.0f} ms")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))

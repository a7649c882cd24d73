"""A process that reads one turn as the daemon does in the background, with a model that says what it is told to.

`python -m bench.faults.reader FOLDER`: hears the turn (once), and reads what is unread.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from assistant.clock import FrozenClock
from assistant.engine.scripted import ScriptedModel
from assistant.memory.keeper import KeptProfile
from assistant.models import Turn
from assistant.skillkit.context import Calm
from assistant.store import open_database
from tests.support.profiles import NoEmbedder

SAID = "my desk by the river is where I am so into chess"
READ = "likes(me) = chess"


def main() -> None:
    """Hear and read."""
    folder = Path(sys.argv[1])
    clock = FrozenClock(datetime(2026, 3, 1, 9, tzinfo=UTC))
    db = open_database(folder / "assistant.db")
    model = ScriptedModel(lambda _: READ)
    profile = KeptProfile(db, clock, folder / "profile", NoEmbedder(), Calm(), model=model)
    profile.heard(Turn(id="1", text=SAID, session="edge"), "en")
    asyncio.run(profile.settle())


if __name__ == "__main__":
    main()

"""The daemon's door is open before anything that takes long is loaded; a stop is never lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

from assistant.entrance import _STOPS, _asked_to_stop

HEAVY = ("pydantic", "babel", "ruamel", "httpx", "sqlite3", "assistant.config", "assistant.models", "assistant.locale")


def test_nothing_heavy_is_loaded_before_the_socket_is_open() -> None:
    program = f"import sys, assistant.cli.background; print([one for one in {HEAVY} if one in sys.modules])"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "[]"


async def test_a_stop_that_comes_before_a_new_start_is_heard() -> None:
    before = {number: signal.getsignal(number) for number in _STOPS}
    asked = asyncio.Event()
    try:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
        assert not await _asked_to_stop(asked)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
        os.kill(os.getpid(), signal.SIGTERM)  # caught, and not yet gone through the loop
        assert await _asked_to_stop(asked)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        for number, handler in before.items():
            signal.signal(number, handler)

"""A skill is loaded while other threads import (the vault's key is made in one at each start)."""

from __future__ import annotations

import sys
import threading
from types import ModuleType

from assistant.skillkit import package


def test_a_package_is_forgotten_while_others_import() -> None:
    done = threading.Event()

    def import_much() -> None:
        number = 0
        while not done.is_set():
            number = (number + 1) % 500
            sys.modules[f"made_up_{number}"] = ModuleType("made_up")
            sys.modules.pop(f"made_up_{(number * 7) % 500}", None)

    thread = threading.Thread(target=import_much)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        for _ in range(300):
            package._forget("nobody")
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(before)
        for name in [one for one in sys.modules if one.startswith("made_up_")]:
            del sys.modules[name]

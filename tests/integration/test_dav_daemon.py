"""The daemon with a CalDAV and CardDAV account: what others write is answered, what is said here reaches the server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from assistant.safety.secrets import open_secrets
from tests.support.daemons import Daemon
from tests.support.davs import Others, card, event
from tests.support.servers.dav import Radicale

_serial = count(1)
_CONFIG = """\
assistant: {{language: en, zone: Europe/Berlin}}
accounts:
  work: {{address: {address}, user: {user}, caldav: "{url}", carddav: "{url}"}}
skills:
  calendar: {{settings: {{calendar: work/Team}}}}
"""


@pytest.fixture(autouse=True)
def _cheap_scrypt() -> None:
    """Not here: the vault is opened by a daemon too, which knows nothing of a test's cheaper key."""


def wait(until: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)


def test_an_account_is_kept_in_step_by_the_daemon(radicale: Radicale, tmp_path: Path) -> None:
    user = radicale.user()
    calendar = radicale.calendar(user, f"d{next(_serial)}", title="Team")
    book = radicale.address_book(user, f"b{next(_serial)}", title="Friends")
    events, cards = Others(radicale.client(user), calendar), Others(radicale.client(user), book)
    day = f"{datetime.now(ZoneInfo('Europe/Berlin')) + timedelta(days=1):%Y%m%d}"  # the daemon's tomorrow, not UTC's
    events.put("a.ics", event("a@x", "Phone made this", start=f"{day}T090000Z", end=f"{day}T100000Z"))
    cards.put("j.vcf", card("j@x", "Julia Novak", "EMAIL:julia@example.org"))
    daemon = Daemon(tmp_path)
    daemon.paths.make()
    account = radicale.account(user)
    daemon.paths.config_file.write_text(
        _CONFIG.format(address=account.address, user=account.user, url=radicale.url), encoding="utf-8"
    )
    asyncio.run(open_secrets(daemon.paths).put("account.work", user.password))

    def state(skill: str) -> str:
        file = daemon.paths.data / "skill-data" / skill / "accounts" / "work" / "status.json"
        return str(json.loads(file.read_text())["state"]) if file.exists() else ""

    def said(words: str) -> str:
        return str(daemon.say(words)[-2]["text"])

    with daemon:
        wait(lambda: state("calendar") == state("contacts") == "idle")
        assert "Phone made this" in said("what is in my calendar tomorrow?")
        assert "julia@example.org" in said("what is Julia's email address?")
        said("put dentist into my calendar tomorrow at 3 pm")
        wait(lambda: any("dentist" in text.lower() for text in events.texts().values()))
        daemon.kill()
    daemon.start()
    try:
        wait(lambda: state("calendar") == "idle")
        radicale.stop()
        assert "Phone made this" in said("what is in my calendar tomorrow?")
    finally:
        radicale.start()
        daemon.stop()
    assert sum("dentist" in text.lower() for text in events.texts().values()) == 1

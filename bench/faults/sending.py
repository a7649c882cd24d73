"""Kills while an approved mail leaves: it arrives once; where that can't be known, it is told and not sent again."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.faults.dying import WITHIN_S, died, notices, said, start_dying
from bench.faults.wishes import Wish, rows
from bench.form import Home

OPEN = "SELECT 1 FROM operations WHERE state IN ('PROPOSED', 'APPROVED', 'SENDING', 'UNKNOWN')"
"""Acts whose end is still open."""
_LOOKED_S = 2.0
"""When an act in doubt has been looked for, with the settings of `bench.outbox`."""


def mailing(home: Home, name: str, folder: Path) -> str:
    """An approved mail: arrives once, not at all only if the yes was not recorded. Copies are known to arrive."""
    home.start(WITHIN_S)
    first = Wish("mail", 0)
    asyncio.run(said(home, first))
    _settle(home)
    home.stop()
    if first.happened(home.paths, folder) != 1:
        return "the mail before did not arrive"
    wish = _mail_cut_off(home, name)
    if wish is None:
        return "was not killed"
    approved = _approved(home) - 1
    _settle(home)
    there = wish.happened(home.paths, folder)
    return "" if there == approved else f"approved: {approved}, arrived {there} times"


def doubting(home: Home, name: str, folder: Path) -> str:
    """The first mail ever: no copy has come yet, so its absence proves nothing; not sent again, and told."""
    wish = _mail_cut_off(home, name)
    if wish is None:
        return "was not killed"
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until and not rows(home.paths, "SELECT 1 FROM operations WHERE state = 'UNKNOWN'"):
        time.sleep(0.1)
    time.sleep(2 * _LOOKED_S)
    if wish.happened(home.paths, folder):
        return "it was sent again"
    return "" if "Number 1" in notices(home) else "nobody was told"


def _mail_cut_off(home: Home, name: str) -> Wish | None:
    """A mail that is said yes to by a daemon that dies at the failpoint, and is started again; None if it lives on."""
    wish = Wish("mail", 1)
    start_dying(home, name)
    asyncio.run(said(home, wish))
    if not died(home):
        return None
    home.start(WITHIN_S)
    return wish


def _settle(home: Home) -> None:
    """Wait until all mail has left."""
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until and rows(home.paths, OPEN):
        time.sleep(0.1)
    time.sleep(0.6)  # what the mail server has queued


def _approved(home: Home) -> int:
    return len(rows(home.paths, "SELECT 1 FROM approvals WHERE state IN ('approved', 'used')"))

"""The real daemon killed (kill -9) at random moments while reminders, notes, events and mails are asked for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from assistant.client import ConnectionLost, NoAnswer, NotRunning
from bench.faults.sending import OPEN
from bench.faults.wishes import Wish, draw, rows, say
from bench.form import Home

_GONE = (ConnectionLost, NotRunning, NoAnswer)
_IN_START = 0.15  # share of kills while it starts
_WINDOW_S = 1.5
_READY_S = 120.0
_DRAIN_S = 300.0


def restarts(home: Home, kills: int) -> list[float]:
    """Seconds from each kill of an idle daemon, started again at once, to an answer of `/healthz`."""
    home.start(_READY_S)
    seconds = []
    for _ in range(kills):
        began = time.monotonic()
        home.kill()
        home.spawn()
        asyncio.run(_first_answer(home))
        seconds.append(time.monotonic() - began)
        home.wait_ready(_READY_S, 0.2)
    home.stop()
    return seconds


@dataclass
class Torment:
    """What came of it."""

    kills: int = 0
    wishes: list[Wish] = field(default_factory=list)
    answers_s: list[float] = field(default_factory=list)
    """From a start to the first answer of `/healthz`."""
    readies_s: list[float] = field(default_factory=list)
    """From a start until all parts are there."""
    told: set[str] = field(default_factory=set)
    """Sentences that were cut off, as the daemon told of them at its next start."""
    lost: int = 0
    doubled: int = 0
    cut_off: int = 0
    """Wishes whose deed had begun when the daemon died, and was not acknowledged."""
    cut_off_told: int = 0
    """Those of which the next start told, or whose answer stands in the conversation."""
    audit_ok: bool = False


def torment(home: Home, mailboxes: Path, kills: int, dice: random.Random, *, most_s: float, loud: bool) -> Torment:
    """Start, work, kill; `kills` times, or for `most_s` seconds. Then let it finish in peace and count."""
    found = Torment()
    until = time.monotonic() + most_s
    for number in range(1, kills + 1):
        if time.monotonic() > until:
            break
        _start(home, found, dice)
        home.kill()
        found.kills += 1
        if loud and number % 20 == 0:
            acked = sum(wish.acked for wish in found.wishes)
            print(f"{number} kills, {len(found.wishes)} wishes, {acked} acknowledged", file=sys.stderr, flush=True)
    home.start(_READY_S)
    asyncio.run(_finish(home, found))
    home.stop()
    _count(home, mailboxes, found)
    return found


def _start(home: Home, found: Torment, dice: random.Random) -> None:
    began = time.monotonic()
    home.spawn()
    asyncio.run(_first_answer(home))
    found.answers_s.append(time.monotonic() - began)
    if dice.random() < _IN_START:
        time.sleep(dice.uniform(0, found.readies_s[-1] if found.readies_s else 1))
        return
    home.wait_ready(_READY_S, 0.01)
    found.readies_s.append(time.monotonic() - began)
    asyncio.run(_work(home, found, dice))


async def _first_answer(home: Home) -> None:
    async with home.client() as client:
        while True:
            home.check(time.monotonic() + _READY_S)
            with contextlib.suppress(*_GONE):
                await client.health(timeout=2)
                return
            await asyncio.sleep(0.005)


async def _work(home: Home, found: Torment, dice: random.Random) -> None:
    """Say wish after wish until the daemon is killed under it."""
    await _listen(home, found)
    window_s = max(_WINDOW_S, found.readies_s[-1])  # a busy machine is slow, and is to be killed at work all the same
    asyncio.get_running_loop().call_later(dice.uniform(0, window_s), os.kill, home.pid, signal.SIGKILL)
    with contextlib.suppress(*_GONE):
        async with home.client() as client:
            while True:
                wish = draw(dice, len(found.wishes))
                found.wishes.append(wish)
                await say(client, wish)


async def _listen(home: Home, found: Torment) -> None:
    async with home.client() as client:
        health = await client.health()
    found.told.update(f"{notice['title']} {notice['body']}" for notice in health.notices)


async def _finish(home: Home, found: Torment) -> None:
    await _listen(home, found)
    until = time.monotonic() + _DRAIN_S
    while time.monotonic() < until and rows(home.paths, OPEN):  # noqa: ASYNC110 - looks from outside
        await asyncio.sleep(0.2)
    await asyncio.sleep(1)  # what the mail server has queued
    async with home.client() as client:
        found.audit_ok = bool((await client.verify_audit())["ok"])


def _count(home: Home, mailboxes: Path, found: Torment) -> None:
    approved = {str(one) for (one,) in rows(home.paths, "SELECT session FROM operations")}
    for wish in found.wishes:
        there = wish.happened(home.paths, mailboxes)
        sure = wish.acked or (wish.kind == "mail" and wish.session in approved)
        found.lost += sure and not there
        found.doubled += there > 1
        told = any(wish.text in sentence for sentence in found.told)
        if wish.kind != "mail" and not wish.acked and (there or told):
            found.cut_off += 1
            found.cut_off_told += told or wish.recorded(home.paths)

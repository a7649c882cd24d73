"""How quick it is: first index, news by IDLE, resync, search, memory, and what a turn costs while the index grows."""

from __future__ import annotations

import imaplib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.form import median, percentile
from bench.mail.desk import Desk, running, turns
from bench.mail.letters import RARE, letter, letters
from tests.support.servers.mail import MailServers, User

_SEARCHES = (
    "find emails about budget",
    "find emails about the contract",
    "search my mail for rare{rare}",
    "any mail from Anna Schmidt?",
    "search my mail for insurance review",
    "did Bob Miller write to me",
    "有没有王小明的邮件",
    "找一下关于预算的邮件",
    "找一下关于音乐会的邮件",
    "have i got any unread mail",
)
_TURNS = ("what time is it?", "what's on my calendar today?", "find emails about budget", "现在几点了？")
_ROUNDS = 6
_PAUSE_S = 0.5
_NEWS = 10
_RESYNCS = 5
_PATIENCE_S = 3600.0
Say = Callable[[str], None]


@dataclass
class Speed:
    """What was measured with one size of mailbox; None where it could not be."""

    size: int
    figures: dict[str, float | int | None] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def measure(mail: MailServers, size: int, say: Say) -> Speed:
    """All of it with a mailbox of `size` mails."""
    found = Speed(size)
    user = mail.user()
    say(f"{size} mails are made")
    mail.fill(user, (one.raw for one in letters(size, user.address)))
    with tempfile.TemporaryDirectory(prefix="bench-mail-") as folder, Desk(mail, user, Path(folder)) as desk:
        before = _first_index(desk, size, found, say)
        with running(desk):  # again: what it holds after a start is what stays
            desk.wait(lambda: desk.worker() is not None and desk.indexed() >= size, 120)
            say("searches")
            _searches(desk, size, found)
            say("news")
            _news(desk, size, found)
            say("resync")
            _resync(desk, user, found)
            own, worker = desk.rss_mb()
            found.figures["daemon_rss_growth_mb"] = round(own - before[0], 1)
            found.figures["worker_rss_mb"] = round(worker, 1)
    if "index_msgs_per_s" not in found.figures:
        say("first index once more, without turns")
        _index_alone(mail, user, size, found)
    return found


def _first_index(desk: Desk, size: int, found: Speed, say: Say) -> tuple[float, float]:
    """From the first connection until all is found by a search. Turns are measured in its first half, then none."""
    before = (0.0, 0.0)
    with running(desk):
        before = desk.rss_mb()
        say("turns while the first index runs, and while the line to the server stands still")
        if size >= 5000:
            _turns(desk, size, found)
        say(f"first index: {desk.indexed()} of {size}")
        begun, at = desk.indexed(), time.monotonic()
        if desk.settled(size, _PATIENCE_S) is None:
            found.figures["index_msgs_per_s"] = None
            found.notes["index_msgs_per_s"] = f"only {desk.indexed()} of {size} were indexed"
            return before
        if begun <= size // 2:  # else next to nothing was left to be timed
            found.figures["index_msgs_per_s"] = round((size - begun) / (time.monotonic() - at), 1)
        own, worker = desk.rss_mb()
        found.figures["index_daemon_rss_mb"] = round(own, 1)
        found.figures["index_worker_rss_mb"] = round(worker, 1)
    return before


def _index_alone(mail: MailServers, user: User, size: int, found: Speed) -> None:
    """The same by a daemon that knows nothing yet, from its start on."""
    with tempfile.TemporaryDirectory(prefix="bench-mail-") as folder, Desk(mail, user, Path(folder)) as desk:
        at = time.monotonic()
        with running(desk):
            if desk.settled(size, _PATIENCE_S) is None:
                found.figures["index_msgs_per_s"] = None
                found.notes["index_msgs_per_s"] = f"only {desk.indexed()} of {size} were indexed"
                return
            found.figures["index_msgs_per_s"] = round(size / (time.monotonic() - at), 1)


def _turns(desk: Desk, size: int, found: Speed) -> None:
    """Blocks of turns while the index grows, and while nothing comes (the line stalls): in turn, in one run."""
    desk.wait(lambda: desk.indexed() > 50, 120)
    turns(desk, _TURNS, "warm")
    busy: dict[str, list[float]] = {text: [] for text in _TURNS}
    idle: dict[str, list[float]] = {text: [] for text in _TURNS}
    grown = 0
    for number in range(_ROUNDS):
        for kind, times in (("busy", busy), ("idle", idle)):
            if kind == "idle":
                desk.imap.stall()
                quiet = _quiet(desk)
            else:
                desk.imap.heal()
                at = desk.indexed()
                desk.wait(lambda at=at: desk.indexed() > at, 60)  # type: ignore[misc]
                quiet = False
            began = desk.indexed()
            for text, said in zip(_TURNS, turns(desk, _TURNS, f"{kind}{number}", _PAUSE_S), strict=True):
                times[text].append(said.total_ms)
            grown += 0 if quiet else desk.indexed() - began
    desk.imap.heal()
    if not grown or desk.indexed() >= size:
        found.figures["turn_ratio"] = None
        found.notes["turn_ratio"] = "the index was done before the turns were"
        return
    kinds = {text: (median(busy[text]) or 0, median(idle[text]) or 0) for text in _TURNS}
    busy_ms = sum(one for one, _ in kinds.values()) / len(kinds)
    idle_ms = sum(one for _, one in kinds.values()) / len(kinds)
    found.figures["turn_busy_ms"], found.figures["turn_idle_ms"] = round(busy_ms, 1), round(idle_ms, 1)
    found.figures["turn_ratio"] = round(busy_ms / idle_ms, 2)
    found.notes["turn_ratio"] = "; ".join(f"{text} {one:.0f}/{other:.0f} ms" for text, (one, other) in kinds.items())
    found.figures["indexed_between_turns"] = grown


def _quiet(desk: Desk) -> bool:
    """Wait until nothing is left to index of what has come."""
    last, since = desk.indexed(), time.monotonic()
    while time.monotonic() - since < 1.0:
        time.sleep(0.1)
        if (now := desk.indexed()) != last:
            last, since = now, time.monotonic()
    return True


def _searches(desk: Desk, size: int, found: Speed) -> None:
    texts = [text.format(rare=number * RARE) for number in range(6) for text in _SEARCHES]
    turns(desk, texts[: len(_SEARCHES)], "warm-up")
    daemon = psutil.Process(desk.home.pid)
    before = daemon.cpu_times()
    said = turns(desk, texts, "search")
    after = daemon.cpu_times()
    used = after.user + after.system - before.user - before.system
    found.figures["search_turn_cpu_ms"] = round(used * 1000 / len(texts), 1)
    tools = [one.tools["email.search"] for one in said if "email.search" in one.tools]
    found.figures["search_p50_ms"] = round(percentile(tools, 0.5) or 0, 1) if tools else None
    found.figures["search_p95_ms"] = round(percentile(tools, 0.95) or 0, 1) if tools else None
    found.figures["searches"] = len(tools)
    kinds: dict[str, list[float]] = {}
    for number, one in enumerate(said):
        kinds.setdefault(_SEARCHES[number % len(_SEARCHES)], []).append(one.tools.get("email.search", 0))
    slow = sorted(kinds.items(), key=lambda kind: -max(kind[1]))
    found.notes["searches"] = "; ".join(f"{text}: {median(ms):.0f}, at most {max(ms):.0f} ms" for text, ms in slow)
    if not tools:
        found.notes |= dict.fromkeys(("search_p50_ms", "search_p95_ms"), "no turn became a search")
    rare = [one for one, text in zip(said, texts, strict=True) if "rare" in text]
    hits = sum(one.reply is not None and "1 mail" in one.reply.text for one in rare)
    found.figures["searches_right"] = round(hits / len(rare), 4)


def _news(desk: Desk, size: int, found: Speed) -> None:
    """Mail that the server gets, until a search finds it."""
    times = []
    for number in range(_NEWS):
        time.sleep(0.5)
        before = desk.indexed()
        desk.mail.deliver(desk.user, letter(10_000_000 + size + number, desk.user.address).raw)
        took = desk.wait(lambda before=before: desk.indexed() > before, 90, 0.005)  # type: ignore[misc]
        if took is not None:
            times.append(took)
    found.figures["idle_notice_s"] = round(median(times) or 0, 3) if len(times) == _NEWS else None
    if len(times) < _NEWS:
        found.notes["idle_notice_s"] = f"{_NEWS - len(times)} of {_NEWS} were not noticed within 90 s"


def _resync(desk: Desk, user: User, found: Speed) -> None:
    """Changes by another client while the line is cut: from the new connection until the replica has them."""
    times = []
    for number in range(_RESYNCS):
        desk.wait(
            lambda: desk.state() == "idle", 120
        )  # a line that is cut again and again is tried less and less often
        time.sleep(1)
        desk.imap.refuse()
        other = imaplib.IMAP4_SSL("localhost", desk.mail.dovecot.imaps, ssl_context=desk.mail.certificates.client())
        other.login(user.address, user.password)
        other.select()
        base = 10 + 10 * number
        other.uid("STORE", f"{base}:{base + 1}", "+FLAGS", r"(\Flagged)")
        other.uid("STORE", f"{base + 2}:{base + 3}", "+FLAGS", r"(\Deleted)")
        other.uid("EXPUNGE", f"{base + 2}:{base + 3}")
        wanted = int(other.select()[1][0])  # type: ignore[arg-type]
        other.logout()
        before = desk.imap.connections
        desk.imap.heal()
        if desk.wait(lambda before=before: desk.imap.connections > before, 120, 0.001) is None:  # type: ignore[misc]
            break
        took = desk.wait(lambda base=base, wanted=wanted: _same(desk, base, wanted), 60, 0.002)  # type: ignore[misc]
        if took is not None:
            times.append(took * 1000)
    found.figures["resync_ms"] = round(median(times) or 0, 1) if len(times) == _RESYNCS else None
    if len(times) < _RESYNCS:
        found.notes["resync_ms"] = f"{_RESYNCS - len(times)} of {_RESYNCS} were not in step within 60 s"


def _same(desk: Desk, base: int, wanted: int) -> bool:
    inbox = "SELECT id FROM folders WHERE role = 'inbox'"
    here = f"SELECT count(*) FROM messages WHERE home = ({inbox}) AND uid IS NOT NULL AND hidden = 0"
    flagged = f"SELECT count(*) FROM messages WHERE home = ({inbox}) AND uid IN (?, ?) AND server_flags != ?"
    plain = desk.rows(f"SELECT server_flags FROM messages WHERE home = ({inbox}) AND uid = ?", base + 5)
    return bool(plain) and desk.rows(here) == [(wanted,)] and desk.rows(flagged, base, base + 1, plain[0][0]) == [(2,)]

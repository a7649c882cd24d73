"""What breaks, and what must not: no mail is lost, none is there twice, nothing stays undone.

The line is cut after N bytes, N swept over the whole of a send, a move and a sync, in both directions; the server is
restarted; UIDVALIDITY changes; the disk is full (a small tmpfs, as root); the machine's clock is wrong and jumps; the
certificate is expired, not yet valid or another's. A case's runs share one daemon, as a person's day does.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant.resources import bundled
from assistant.skillkit.loader import load
from bench.faults.disks import Disk, small_disk
from bench.mail.desk import Desk, running
from bench.mail.scene import Case, Scene
from bench.mail.shifted import wrong_clock
from tests.support.cutting import Way
from tests.support.servers.certificates import Kind
from tests.support.servers.mail import MailServers

STEPS = 12
_WITHIN_S = 90.0
_SLOW_S = 200.0
"""After a certificate that is wrong the worker waits longer."""
_MAILS = 30
Say = Callable[[str], None]


def sweep(mail: MailServers, steps: int, say: Say, only: str = "") -> list[Case]:
    """All cases whose name has `only` in it."""
    load(bundled("skills") / "email")
    cases: list[Case] = []

    def run(name: str, act: Callable[[Scene, Case], None], **options: object) -> None:
        if only not in name:
            return
        say(name)
        case = Case(name)
        cases.append(case)
        try:
            with scene(mail, **options) as here:  # type: ignore[arg-type]
                act(here, case)
        except (OSError, RuntimeError) as error:
            case.faults.append(f"could not be run to its end: {error}"[:200])
        say(f"{case.row()} {case.faults[:3]}")

    for way in ("up", "down"):
        run(f"send cut, {way}", lambda here, case, way=way: _sends(here, case, steps, way))  # type: ignore[misc]
        run(f"move cut, {way}", lambda here, case, way=way: _moves(here, case, steps, way))  # type: ignore[misc]
        run(f"sync cut, {way}", lambda here, case, way=way: _syncs(here, case, steps, way))  # type: ignore[misc]
    run("move cut, no MOVE", lambda here, case: _moves(here, case, steps, "down"), without=("MOVE",))
    run("sync cut, no QRESYNC", lambda here, case: _syncs(here, case, steps, "down"), without=("QRESYNC", "CONDSTORE"))
    run("first sync cut", lambda here, case: _first(here, case, steps), fresh=True)
    run("server restart", _restarts)
    run("UIDVALIDITY change", _uidvalidity)
    for kind in ("expired", "early", "other"):
        run(f"certificate {kind}", lambda here, case, kind=kind: _certificate(here, case, kind))  # type: ignore[misc]
    run("worker killed", _worker_killed)
    run("dates that are wrong", _dates)
    if not only or only in "full disk":
        cases.append(_full_disk(mail, say))
    if not only or only in "wrong clock":
        cases.append(_wrong_clock(mail, say))
    return cases


@contextmanager
def scene(
    mail: MailServers, *, without: tuple[str, ...] = (), fresh: bool = False, home_in: Path | None = None
) -> Iterator[Scene]:
    """A daemon that has fetched a small mailbox and has sent one mail; `fresh`: one that has not started yet."""
    user = mail.user(without=without)
    with (
        tempfile.TemporaryDirectory(prefix="bench-mail-") as folder,
        Desk(mail, user, Path(folder), home_in=home_in) as desk,
    ):
        here = Scene(mail, desk, user)
        here.put(_MAILS)
        if fresh:
            yield here
            return
        with running(desk):
            if desk.wait(lambda: not here.differences(), 90, 0.1) is None:
                raise RuntimeError(f"the mailbox was not fetched: {here.differences()[:3]}")
            to, refused = here.send()  # its copy comes back: from now on one that is missing means something
            if refused or desk.wait(lambda: here.arrived(to) > 0, 60) is None:
                raise RuntimeError(f"the first mail was not sent: {refused}")
            desk.wait(lambda: not here.differences(), 60, 0.1)
            yield here


def _spread(size: int, steps: int) -> list[int]:
    """Values from 0 to the size, its end included: what is cut there was all said, and the answer is lost."""
    return sorted({round(size * step / (steps - 1)) for step in range(steps)}) if steps > 1 else [0]


def _sends(here: Scene, case: Case, steps: int, way: Way) -> None:
    line = here.desk.smtp
    before = (line.up, line.down)
    first, _ = here.send()
    here.desk.wait(lambda: here.arrived(first) > 0 and line.open == 0, 60)
    size = (line.up - before[0]) if way == "up" else (line.down - before[1])
    for number, count in enumerate(_spread(size, steps)):
        line.cut_after(count, way, times=1 + number % 2, reset=bool(number % 3 == 2))
        to, refused = here.send()
        here.judge_send(case, to, refused, f"after {count} of {size} bytes", _WITHIN_S)
        line.heal()


def _moves(here: Scene, case: Case, steps: int, way: Way) -> None:
    def once() -> None:
        here.archive(1)
        here.desk.wait(lambda: here.places(1) == ["Archive"], 60)
        time.sleep(1)

    up, down = here.cost(once)
    size = up if way == "up" else down
    for number, count in enumerate(_spread(size, min(steps, _MAILS - 6))):
        here.desk.imap.cut_after(count, way, times=1 + number % 2, reset=bool(number % 3 == 2))
        refused = here.archive(2 + number)
        here.judge_move(case, 2 + number, refused, f"after {count} of {size} bytes", _WITHIN_S)
        here.desk.imap.heal()
    here.judge_sync(case, "at the end", _WITHIN_S)


def _syncs(here: Scene, case: Case, steps: int, way: Way) -> None:
    def once() -> None:
        here.put(3)
        here.elsewhere()
        here.desk.wait(lambda: not here.differences(), 60, 0.1)

    up, down = here.cost(once)
    size = up if way == "up" else down
    for number, count in enumerate(_spread(size, steps)):
        here.desk.imap.cut_after(count, way, times=1 + number % 2, reset=bool(number % 3 == 2))
        here.put(3)
        here.elsewhere()
        here.judge_sync(case, f"after {count} of {size} bytes", _WITHIN_S)
        here.desk.imap.heal()


def _first(here: Scene, case: Case, steps: int) -> None:
    """The very first sync, cut again and again from its first byte on."""
    with running(here.desk):
        here.desk.wait(lambda: not here.differences(), 60, 0.1)
        size = here.desk.imap.down
    for count in _spread(size, max(2, steps // 3)):
        for file in here.desk.replica.parent.glob("mail.db*"):
            file.unlink()
        here.desk.imap.cut_after(count, "down", times=2)
        with running(here.desk):
            here.judge_sync(case, f"after {count} of {size} bytes", _WITHIN_S)
        here.desk.imap.heal()


def _restarts(here: Scene, case: Case) -> None:
    for pause in (0.0, 0.1, 0.3):
        thread = _later(pause, here.mail.restart)
        to, refused = here.send()
        thread.join()
        here.judge_send(case, to, refused, f"send, {pause} s before", _WITHIN_S)
        number = here.put(1)[0]
        here.judge_sync(case, f"sync, {pause} s before", _WITHIN_S)
        thread = _later(pause, here.mail.restart)
        refused = here.archive(number)
        thread.join()
        here.judge_move(case, number, refused, f"move, {pause} s before", _WITHIN_S)


def _later(pause: float, act: Callable[[], None]) -> threading.Thread:
    thread = threading.Timer(pause, act)
    thread.start()
    return thread


def _uidvalidity(here: Scene, case: Case) -> None:
    for offline in (False, True):
        ids = here.desk.ids()
        if offline:
            here.desk.imap.refuse()
        here.mail.new_uidvalidity(here.user)
        here.put(1)
        here.desk.imap.heal()
        here.judge_sync(case, "while offline" if offline else "while connected", _WITHIN_S)
        gone = ids - here.desk.ids()
        case.add(f"{len(gone)} mails have other ids", lost=len(gone))


def _certificate(here: Scene, case: Case, kind: Kind) -> None:
    """Nothing goes over a line that isn't trusted; all of it does when it is again."""
    with here.mail.presenting(kind):
        here.desk.imap.drop()
        to, refused = here.send()
        number = here.put(1)[0]
        archived = here.archive(1)
        time.sleep(6)
        wrong = here.arrived(to) + (here.places(1) != ["INBOX"]) + here.known(number)
        if wrong:
            case.add(f"{wrong} acts went over a line with that certificate", lost=wrong)
    here.judge_send(case, to, refused, "send", _SLOW_S)
    here.judge_move(case, 1, archived, "move", _SLOW_S)
    here.judge_sync(case, f"mail {number}", _SLOW_S)


def _worker_killed(here: Scene, case: Case) -> None:
    for number, pause in enumerate((0.0, 0.02, 0.1, 0.3, 0.6), start=1):
        thread = _later(pause, lambda: getattr(here.desk.worker(), "kill", lambda: None)())
        refused = here.archive(number)
        thread.join()
        here.judge_move(case, number, refused, f"{pause} s after a move was asked for", _WITHIN_S)
        here.put(2)
        here.judge_sync(case, "and mail came", _WITHIN_S)


def _dates(here: Scene, case: Case) -> None:
    """Mails whose clocks were wrong: far past, far future, none at all."""
    for line in ("Thu, 01 Jan 1970 00:00:00 +0000", "Tue, 01 Jan 2107 00:00:00 +0000", "yesterday", ""):
        number = here.next()
        head = f"From: x@there.example\r\nSubject: subject{number}x\r\nMessage-ID: <s{number}@there.example>\r\n"
        date = f"Date: {line}\r\n" if line else ""
        here.mail.deliver(here.user, (head + date + "\r\nbody\r\n").encode())
        here.judge_sync(case, line or "no date", _WITHIN_S)
        refused = here.archive(number)
        here.judge_move(case, number, refused, line or "no date", _WITHIN_S)


def _wrong_clock(mail: MailServers, say: Say) -> Case:
    """The machine's clock jumps while everything runs: a year on, back, a year back, right again."""
    say("wrong clock")
    case = Case("wrong clock")
    with tempfile.TemporaryDirectory(prefix="bench-clock-") as folder, wrong_clock(Path(folder) / "site") as jump:
        try:
            with scene(mail) as here:
                for number, days in enumerate((365, 0, -365, 0, 1, -1, 0), start=1):
                    to, refused = here.send()  # under way when the clock jumps
                    jump(days * 86_400.0)
                    here.judge_send(case, to, refused, f"sent as the clock jumps to {days:+} days", _WITHIN_S)
                    to, refused = here.send()
                    here.judge_send(case, to, refused, f"sent at {days:+} days", _WITHIN_S)
                    here.judge_move(case, number, here.archive(number), f"moved at {days:+} days", _WITHIN_S)
                    here.put(1)
                    here.judge_sync(case, f"new mail at {days:+} days", _WITHIN_S)
        except (OSError, RuntimeError) as error:
            case.faults.append(f"could not be run to its end: {error}"[:200])
    say(f"{case.row()} {case.faults[:3]}")
    return case


def _full_disk(mail: MailServers, say: Say) -> Case:
    say("full disk")
    case = Case("full disk")
    with tempfile.TemporaryDirectory(prefix="bench-disk-") as folder:
        try:
            with small_disk(Path(folder) / "disk") as disk, scene(mail, home_in=disk.folder) as here:
                for spare in (0, 16_384, 262_144):
                    _on_a_full_disk(here, case, disk, spare)
        except (OSError, RuntimeError) as error:
            case.faults.append(f"could not be run to its end: {error}"[:200])
    say(f"{case.row()} {case.faults[:3]}")
    return case


def _on_a_full_disk(here: Scene, case: Case, disk: Disk, spare: int) -> None:
    """What is refused in words is not lost; what was taken is done once there is room."""
    number = here.put(1)[0]
    here.judge_sync(case, "before", _WITHIN_S)
    disk.fill(spare)
    here.put(2)
    moved = here.archive(number)
    to, refused = here.send()
    time.sleep(4)
    disk.free()
    what = f"{spare} bytes free"
    if refused:
        case.runs += 1
        case.add(f"{what}: said no and sent it", doubled=here.arrived(to))
    else:
        here.judge_send(case, to, "", what, _WITHIN_S)
    if not moved:
        here.judge_move(case, number, "", what, _WITHIN_S)
    here.judge_sync(case, what, _WITHIN_S)

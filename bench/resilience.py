"""Crashes, full disks, damaged files and frozen parts: what is lost, what is doubled, and whether the person is told.

Kills the real daemon at random moments and at every failpoint, damages its database, feeds it broken models, fills its
disk, tampers with its audit, hangs its loop and freezes its worker. `--only` chooses parts.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from assistant import paths
from bench.faults import audits, databases, disks, dying, edges, frozen, kills, models
from bench.faults.forked import forking
from bench.form import Home, argument_parser, median, percentile, report
from bench.outbox import server, settings

Figures = dict[str, float | int | None]
Rows = list[tuple[object, ...]]
_MODEL = "smollm2-135m-instruct"


class Run:
    """What is measured so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.figures: Figures = {}
        self.notes: dict[str, str] = {}
        self.rows: Rows = [("what", "right", "of")]

    def wrong(self, what: str, problem: str) -> None:
        """Say what went wrong, where it can be read."""
        print(f"{what}: {problem}", file=sys.stderr, flush=True)

    def absent(self, reason: str, *names: str) -> None:
        """These figures could not be measured."""
        for name in names:
            self.figures[name], self.notes[name] = None, reason


def tampered_audits(run: Run) -> None:
    """Each kind of tampering, at random places."""
    every = 0
    for kind in audits.TAMPERINGS:
        right = sum(audits.found(kind, seed) for seed in range(run.options.tamperings))
        every += right
        run.rows.append((f"audit: {kind}", right, run.options.tamperings))
    run.figures["audit_found"] = every / (run.options.tamperings * len(audits.TAMPERINGS))
    run.figures["audit_100k_s"] = min(audits.seconds_for(100_000) for _ in range(3))


def random_kills(run: Run) -> None:
    """The daemon killed at random moments."""
    with contextlib.ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="bench-kills-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(made))
        if run.options.forked:
            stack.enter_context(forking())
        with server(folder, run.options.seed) as port:
            told = {**settings(folder, port), **dying.scripted(folder)}
            with Home(told, start=False) as home:
                dice = random.Random(run.options.seed)
                found = kills.torment(
                    home, folder, run.options.kills, dice, most_s=run.options.most_s, loud=not run.options.json
                )
    run.figures |= {
        "kills": found.kills,
        "wishes": len(found.wishes),
        "acknowledged": sum(wish.acked for wish in found.wishes),
        "lost": found.lost,
        "doubled": found.doubled,
        "cut_off": found.cut_off,
        "told_share": found.cut_off_told / found.cut_off if found.cut_off else None,
        "audit_ok": int(found.audit_ok),
    }
    if not found.cut_off:
        run.absent("nothing was cut off", "told_share")
    if run.options.forked:
        run.notes["kills"] = "the daemons were forked from a process that had all modules loaded"
        return
    for name, times in (("start_p95_ms", found.answers_s[1:]), ("ready_p95_ms", found.readies_s[1:])):
        slow = percentile(times, 0.95)
        run.figures[name] = round(1000 * slow) if slow else None
        if slow is None:
            run.notes[name] = "too few kills to say"


def restarts(run: Run) -> None:
    """From the kill of an idle daemon, started again at once, to its first answer; for a machine with nothing to do."""
    with tempfile.TemporaryDirectory(prefix="bench-restart-", ignore_cleanup_errors=True) as name:
        with Home(dying.scripted(Path(name)), start=False) as home:
            seconds = kills.restarts(home, run.options.restarts)
    run.figures |= {
        "restarts": len(seconds),
        "restart_median_ms": round(1000 * (median(seconds) or 0)),
        "restart_p95_ms": round(1000 * (percentile(seconds, 0.95) or 0)),
    }


def failpoints(run: Run) -> None:
    """A kill at every state edge."""
    right = 0
    for name, scenario, fates in edges.EDGES:
        with tempfile.TemporaryDirectory(prefix="bench-edge-", ignore_cleanup_errors=True) as folder:
            problem = edges.try_edge(name, scenario, fates, Path(folder))
        if problem:
            run.wrong(name, problem)
        right += not problem
    run.rows.append(("failpoints", right, len(edges.EDGES)))
    run.figures |= {"failpoints": len(edges.EDGES), "failpoints_right": right}


def damaged_databases(run: Run) -> None:
    """Databases damaged in every way, given to the real daemon."""
    counted: collections.Counter[str] = collections.Counter()
    right: collections.Counter[str] = collections.Counter()
    told = lost = 0
    with tempfile.TemporaryDirectory(prefix="bench-db-", ignore_cleanup_errors=True) as name:
        with databases.Patient(Path(name)) as patient:
            for kind, seed in databases.cases(run.options.databases):
                found = patient.suffer(kind, seed)
                counted[kind] += 1
                right[kind] += found.right
                lost += found.changed
                told += found.changed and found.told
                if not found.right:
                    run.wrong(f"{kind} {seed}", str(found))
    run.rows += [(f"database: {kind}", right[kind], count) for kind, count in counted.items()]
    run.figures |= {
        "databases": counted.total(),
        "corrupt_found": right.total() / counted.total(),
        "databases_that_lost": lost,
        "databases_told": told,
    }


def broken_models(run: Run) -> None:
    """Broken model files in a running daemon."""
    source = paths.find().models / f"{_MODEL}.gguf"
    if not source.exists():
        run.absent(f"{source} is not there", "ggufs", "gguf_typed", "gguf_alive", "gguf_slowest_s")
        return
    with tempfile.TemporaryDirectory(prefix="bench-gguf-", ignore_cleanup_errors=True) as folder:
        found = list(models.feed(source, Path(folder), run.options.ggufs, run.options.seed))
    for one in found:
        if not one.typed:
            run.wrong(one.what, str(one))
    answered = sum(one.answered for one in found)
    run.rows += [
        ("model files: refused in a sentence", sum(one.typed and not one.answered for one in found), len(found)),
        ("model files: answered (the loader finds no fault)", answered, len(found)),
    ]
    run.figures |= {
        "ggufs": len(found),
        "gguf_typed": sum(one.typed for one in found) / len(found),
        "gguf_alive": sum(one.alive for one in found) / len(found),
        "gguf_slowest_s": max(one.seconds for one in found),
    }


def full_disks(run: Run) -> None:
    """Each place that is written, and whole turns, on a disk that is full."""
    checks: list[tuple[str, Callable[[disks.Disk, Path], str]]] = [
        *((name, lambda disk, _, check=check: check(disk)) for name, check in disks.PARTS.items()),
        *(
            (f"turns with {spare} bytes left", lambda disk, mail, spare=spare: disks.talking(disk, mail, spare)[0])
            for spare in disks.LEVELS
        ),
        ("a start", lambda disk, _: disks.starting(disk)),
    ]
    right = 0
    for name, check in checks:
        with tempfile.TemporaryDirectory(prefix="bench-disk-", ignore_cleanup_errors=True) as folder:
            mail = Path(folder) / "mail"
            mail.mkdir()
            try:
                with disks.small_disk(Path(folder) / "disk") as disk:
                    problem = check(disk, mail)
            except OSError as error:
                run.absent(str(error), "disk_full", "disk_full_right")
                return
        if problem:
            run.wrong(f"disk full, {name}", problem)
        run.rows.append((f"disk full: {name}", int(not problem), 1))
        right += not problem
    run.figures |= {"disk_full": len(checks), "disk_full_right": right}


def frozen_parts(run: Run) -> None:
    """The loop hangs, the process stops, the worker freezes."""
    noticed = 0
    for stopped in (False, True):
        with tempfile.TemporaryDirectory(prefix="bench-loop-", ignore_cleanup_errors=True) as folder:
            loop = frozen.hanging_loop(Path(folder), stopped=stopped)
        right = loop.ready and loop.pinged and loop.noticed and loop.came_back
        run.rows.append(("process stopped" if stopped else "loop hangs", int(right), 1))
        noticed += right
    run.figures["frozen_loop_found"] = noticed / 2
    if not (paths.find().models / f"{_MODEL}.gguf").exists():
        run.absent(f"{_MODEL} is not there", "frozen_worker_found", "frozen_worker_s")
        return
    with tempfile.TemporaryDirectory(prefix="bench-worker-", ignore_cleanup_errors=True) as folder:
        worker = frozen.frozen_worker(_MODEL, Path(folder))
    right = worker.frozen and worker.ended
    run.rows.append(("worker freezes in an answer", int(right), 1))
    run.figures |= {"frozen_worker_found": int(right), "frozen_worker_s": worker.seconds}


PARTS: dict[str, Callable[[Run], None]] = {
    "audit": tampered_audits,
    "frozen": frozen_parts,
    "disk": full_disks,
    "databases": damaged_databases,
    "models": broken_models,
    "failpoints": failpoints,
    "restart": restarts,
    "kills": random_kills,
}


def main() -> None:
    """Hurt it, look, report."""
    parser = argument_parser("resilience", __doc__ or "")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--most-s", type=float, default=7200, help="for the random kills")
    parser.add_argument("--forked", action="store_true", help="random kills: fork the daemons; quicker, and not timed")
    parser.add_argument("--restarts", type=int, default=40)
    parser.add_argument("--databases", type=int, default=50)
    parser.add_argument("--ggufs", type=int, default=50)
    parser.add_argument("--tamperings", type=int, default=20, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.data:
        parser.error("resilience takes no data")
    chosen = options.only.split(",")
    if unknown := set(chosen) - PARTS.keys():
        parser.error(f"there is no part called {', '.join(sorted(unknown))}")
    run = Run(options)
    for name in chosen:
        began = time.monotonic()
        PARTS[name](run)
        if not options.json:
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    report("resilience", run.figures, run.notes, run.rows, only_json=options.json)


if __name__ == "__main__":
    main()

"""Load, fuzz and soak of the real daemon: many clients at once, input that nobody should send, and thousands of turns.

A sentence of the crowd carries a word of its own (`bench.crowd`), so that what came to whom and what is stored can be
counted. Fuzz and soak are `bench.fuzz` and `bench.soak`.
"""

from __future__ import annotations

import asyncio
import sys
import time

from bench import fuzz, soak
from bench.crowd import Tally, crowd, found, missing_in_transcripts
from bench.form import SETTLE_S, argument_parser, median, percentile, report
from bench.household import Household, household

CLIENTS = 32
REQUESTS = 100
_PARTS = ("crowd", "fuzz", "soak")
_MAIL_S = 60.0
_GOALS = {"errors": 0, "cross_talk": 0, "lost": 0, "doubled": 0, "crashes": 0, "hangs": 0, "rss_slope_mb_per_1000": 1}


def measure(
    clients: int, requests: int, *, settle_s: float = SETTLE_S
) -> tuple[dict[str, float | int | None], list[str]]:
    """The crowd on a daemon of its own: figures, and what went wrong in words."""
    with household({"approvals.hold_s": 0}, program="assistant.cli.background") as house:
        time.sleep(settle_s)
        started = time.monotonic()
        tally = asyncio.run(crowd(house, clients, requests))
        seconds = time.monotonic() - started
        wait_for_mail(house)
        astray = asyncio.run(missing_in_transcripts(house, tally))
        audit = asyncio.run(_audit_ok(house))
        lost, doubled = counted(house, tally)
    latencies = [took for one in tally.took.values() for took in one]
    means = [sum(one) / len(one) for one in tally.took.values()]
    figures: dict[str, float | int | None] = {
        "clients": clients,
        "requests": clients * requests,
        "errors": len(tally.errors) + (not audit),
        "cross_talk": len(tally.cross_talk) + len(astray),
        "written": len(tally.expected),
        "lost": len(lost),
        "doubled": len(doubled),
        "p50_ms": _ms(median(latencies)),
        "p99_ms": _ms(percentile(latencies, 0.99)),
        "slowest_to_median_client": round(max(means) / (median(means) or 1), 2),
        "turns_per_s": round(len(latencies) / seconds, 1),
    }
    said = [*tally.errors, *tally.cross_talk, *astray, *(f"lost: {one}" for one in lost)]
    return figures, [*said, *(f"doubled: {one}" for one in doubled)]


def counted(house: Household, tally: Tally) -> tuple[list[str], list[str]]:
    """Marks that are not where they must be, and marks that are there too often."""
    lost, doubled = [], []
    for where in {place for place, _ in tally.expected.values()}:
        times_of = found(house, where)
        for word, (place, wanted) in tally.expected.items():
            times = times_of(word) if place == where else 0
            if place == where and wanted and times < wanted:
                lost.append(f"{where} {word}")
            if place == where and times > (1 if wanted is None else wanted):
                doubled.append(f"{where} {word}: {times}")
    return lost, doubled


def wait_for_mail(house: Household) -> None:
    """Until all mail has left and the server has delivered it."""
    until = time.monotonic() + _MAIL_S
    open_states = "('PROPOSED', 'APPROVED', 'SENDING', 'UNKNOWN')"
    while time.monotonic() < until and house.rows(f"SELECT 1 FROM operations WHERE state IN {open_states} LIMIT 1"):
        time.sleep(0.1)
    time.sleep(1)  # what the server has queued


async def _audit_ok(house: Household) -> bool:
    async with house.home.client() as client:
        return bool((await client.verify_audit())["ok"])


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


def main() -> None:
    """Measure and report."""
    parser = argument_parser("load", __doc__ or "")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--inputs", type=int, default=fuzz.INPUTS, help="of the fuzz")
    parser.add_argument("--seed", type=int, default=fuzz.SEED, help="of the fuzz")
    parser.add_argument("--turns", type=int, default=soak.TURNS, help="of the soak")
    parser.add_argument("--only", choices=_PARTS, action="append", help="one part, or several")
    options = parser.parse_args()
    if options.data:
        parser.error("load takes no data")
    parts = options.only or _PARTS
    figures: dict[str, float | int | None] = {}
    seen: list[str] = []
    if "crowd" in parts:
        found_here, faults = measure(options.clients, options.requests)
        figures |= found_here
        seen += faults
    if "fuzz" in parts:
        findings = fuzz.measure(options.inputs, options.seed)
        figures |= findings.figures()
        seen += findings.seen
    if "soak" in parts:
        grown, _ = soak.measure(options.turns)
        figures |= grown
    for one in seen[:60]:
        print(one, file=sys.stderr)
    rows: list[tuple[object, ...]] = [("goal", "at most", "measured")]
    rows += [(name, goal, figures[name]) for name, goal in _GOALS.items() if name in figures]
    report("load", figures, rows=rows, only_json=options.json)


if __name__ == "__main__":
    main()

"""Random and mutated inputs at every door: what files, pipes, workers, API bodies and sockets bring from outside.

Nothing may crash, hang, show a traceback or do what the ledger does not know. Inputs are drawn from a seed that is
printed, so that a finding can be repeated.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from pathlib import Path

from bench.form import argument_parser, report
from bench.fuzz_files import fuzz_files
from bench.fuzz_live import fuzz_api, fuzz_pipe, fuzz_worker
from bench.fuzz_parts import Findings
from bench.household import household

INPUTS = 20_050  # some doors take a few less than they are given
SEED = 20261123
_SHARES = {"worker": 0.1, "pipe": 0.1, "api": 0.1}
"""What is left is for the parsers of files and frames, which are quick."""


def measure(inputs: int, seed: int) -> Findings:
    """So many inputs over all doors."""
    findings, rng = Findings(), random.Random(seed)
    counts = {door: round(inputs * share) for door, share in _SHARES.items()}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        fuzz_files(inputs - sum(counts.values()), rng, findings, Path(name))
    asyncio.run(fuzz_worker(counts["worker"], rng, findings))
    asyncio.run(fuzz_pipe(counts["pipe"], rng, findings))
    with household({"approvals.hold_s": 0}, program="assistant.cli.background") as house:
        asyncio.run(fuzz_api(counts["api"], seed, findings, house))
    return findings


def table(findings: Findings) -> list[tuple[object, ...]]:
    """By door."""
    rows: list[tuple[object, ...]] = [("door", "inputs", "crashes", "hangs", "tracebacks", "slowest s")]
    return rows + [
        (door, count, findings.crashes[door], findings.hangs[door], findings.tracebacks[door],
         round(findings.slowest.get(door, 0.0), 2))
        for door, count in sorted(findings.inputs.items())
    ]  # fmt: skip


def main() -> None:
    """Measure and report."""
    parser = argument_parser("fuzz", __doc__ or "")
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    if options.data:
        parser.error("fuzz takes no data")
    findings = measure(options.inputs, options.seed)
    for one in findings.seen[:60]:
        print(one, file=sys.stderr)
    report("fuzz", {"seed": options.seed, **findings.figures()}, rows=table(findings), only_json=options.json)


if __name__ == "__main__":
    main()

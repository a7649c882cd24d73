"""Mail on a real server (Dovecot): how quick it is with 5,000 and 50,000 mails, and what is lost when things break.

Everything runs on loopback: Dovecot and Postfix, a daemon with an account there, and lines between them that are cut.
`--only speed` or `--only faults` measures one half; `--sizes 5000` other mailboxes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.form import argument_parser, report
from tests.support.servers.mail import MailServers
from tests.support.servers.process import Missing

_NAMES = ("index_msgs_per_s", "idle_notice_s", "resync_ms", "search_p95_ms")
_COUNTS = ("lost", "doubled", "stuck")


def main() -> int:
    """Measure and report."""
    from bench.mail import faults, speed

    parser = argument_parser("mail", __doc__ or "")
    parser.add_argument("--only", choices=("speed", "faults"))
    parser.add_argument("--sizes", default="5000,50000", help="mails in the mailbox, smallest first")
    parser.add_argument("--steps", type=int, default=faults.STEPS, help="cuts of each kind that are tried")
    options = parser.parse_args()
    figures: dict[str, float | int | None] = {}
    notes: dict[str, str] = {}
    rows: list[Sequence[object]] = []

    def say(text: str) -> None:
        print(f"… {text}", file=sys.stderr, flush=True)

    try:
        with MailServers() as mail:
            if options.only != "faults":
                for size in map(int, options.sizes.split(",")):
                    found = speed.measure(mail, size, say)
                    figures |= {f"{name}_{size}": value for name, value in found.figures.items()}
                    notes |= {f"{name}_{size}": reason for name, reason in found.notes.items()}
                    figures |= {name: found.figures.get(name) for name in _NAMES}  # of the largest
                    notes |= {name: found.notes[name] for name in _NAMES if name in found.notes}
            if options.only != "speed":
                cases = faults.sweep(mail, options.steps, say)
                rows = [("case", "runs", "lost", "doubled", "stuck"), *(case.row() for case in cases)]
                figures |= {name: sum(getattr(case, name) for case in cases) for name in _COUNTS}
                notes |= {case.name: "; ".join(case.faults[:5]) for case in cases if case.faults}
    except Missing as problem:
        notes |= dict.fromkeys((*_NAMES, *_COUNTS), str(problem))
    for name in (*_NAMES, *_COUNTS):
        if figures.setdefault(name, None) is None:
            notes.setdefault(name, f"not asked for (--only {options.only})" if options.only else "not measured")
    report("mail", figures, notes, rows or None, only_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())

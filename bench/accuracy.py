"""The project's accuracy: the same commands with each model in turn and with templates alone, and a page about it."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from bench.accuracy_page import figures_of, overview, page
from bench.form import ROOT, argument_parser, machine, report
from bench.utterances import MODEL, TEMPLATES, Scored, add_item_arguments, chosen_items, measure, read_world

MODELS = (MODEL, "qwen2.5-coder-0.5b-instruct", "smollm2-135m-instruct", TEMPLATES)


def main() -> None:
    """Measure, report, and write the page."""
    options = _arguments()
    runs, skipped = _measure_all(options)
    if not runs:
        raise SystemExit("no model could be had")
    command = shlex.join(["python", "-m", "bench.accuracy", *sys.argv[1:]])
    text = page(runs, command=command, machine=machine(), date=options.date, skipped=skipped)
    options.report.write_text(text, encoding="utf-8")
    figures: dict[str, float | int | None] = {}
    notes = {f"{model}/skipped": reason for model, reason in skipped.items()}
    for model, scored in runs.items():
        own, why = figures_of(scored)
        figures |= {f"{model}/{name}": value for name, value in own.items()}
        notes |= {f"{model}/{name}": reason for name, reason in why.items()}
    report("accuracy", figures, notes, overview(runs), only_json=options.json)


def _arguments() -> argparse.Namespace:
    parser = argument_parser("accuracy", __doc__ or "")
    parser.add_argument(
        "--models",
        nargs="+",
        default=MODELS,
        metavar="NAME",
        help=f"names of `assistant models list`, pulled where they are missing; `{TEMPLATES}` is no model",
    )
    add_item_arguments(parser)
    parser.add_argument("--report", type=Path, default=ROOT / "docs" / "accuracy.md", help="the page that is written")
    parser.add_argument("--date", default="", help="the day that the page names")
    options = parser.parse_args()
    if not options.report.parent.is_dir():
        parser.error(f"{options.report.parent} is no folder")
    return options


def _measure_all(options: argparse.Namespace) -> tuple[dict[str, list[Scored]], dict[str, str]]:
    """The scored items by model, and by model why it was skipped."""
    items = chosen_items(options)
    user, now = read_world(options.context)
    runs: dict[str, list[Scored]] = {}
    skipped: dict[str, str] = {}
    for model in dict.fromkeys(options.models):
        try:
            runs[model] = measure(model, items, now, user, quiet=options.json)
        except subprocess.CalledProcessError as error:
            skipped[model] = f"it is not here and could not be pulled (exit status {error.returncode})"
            print(f"SKIPPED {model}: {skipped[model]}", file=sys.stderr, flush=True)
    return runs, skipped


if __name__ == "__main__":
    main()

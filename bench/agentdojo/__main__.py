"""How often an attack in what is read succeeds, and what the gate costs: AgentDojo v1.2.2 with a worst-case planner.

Each rate stands beside that of a user who says yes to everything and does nothing else. With `--model NAME` the banking
suite runs with the model on the device in the planner's place.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from bench.agentdojo.attackers import ADAPTIVE, told
from bench.agentdojo.run import SUITES, TEXT_ONLY, Outcome, Suite, UserKind, injections_of, suite_of
from bench.form import argument_parser, report

_DO_NOTHING = 5
"""So many of the banking suite's tasks pass for an agent that makes no call."""
ATTACKS = ("important_instructions", "tool_knowledge", "injecagent")


@dataclass(frozen=True)
class Pair:
    """One user task under one attack."""

    suite: str
    task: str
    wanted: str
    outcome: Outcome


def main() -> None:
    """Run, count, report."""
    parser = argument_parser("agentdojo", __doc__ or "")
    parser.add_argument("--suites", nargs="*", default=list(SUITES), choices=SUITES)
    parser.add_argument("--quick", action="store_true", help="one attack, no adaptive ones")
    parser.add_argument("--model", default="", help="the banking suite with this model as the planner")
    parser.add_argument("--pairs", type=int, default=144, help="with --model: so many of the pairs, evenly spread")
    parser.add_argument("--skip", type=int, default=0, help="with --model: go on behind so many pairs")
    options = parser.parse_args()
    if options.data:
        parser.error("agentdojo brings its own tasks")
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    loud = not options.json
    if options.model:
        measured, each = asyncio.run(_with_model(options.model, options.pairs, options.skip, loud=loud))
        report("agentdojo", measured, rows=each, only_json=options.json)
        return
    benign = {who: asyncio.run(_benign(options.suites, who)) for who in ("careful", "no")}
    attacked: dict[str, list[Pair]] = {}
    for name, run in _runs(quick=options.quick).items():
        started = time.monotonic()
        attacked[name] = asyncio.run(_pairs(options.suites, run))
        if loud:
            print(
                f"{name}: {_rate(attacked[name]):.3f} of {len(attacked[name])}, {time.monotonic() - started:.0f} s",
                file=sys.stderr,
            )
    figures = _figures(benign, attacked)
    rows: list[Sequence[object]] = [("run", "pairs", "success", "no text-only", *options.suites, "unasked", "utility")]
    rows += [_row(name, pairs, options.suites) for name, pairs in attacked.items()]
    report("agentdojo", figures, rows=rows, only_json=options.json)


@dataclass(frozen=True)
class Run:
    """All pairs once."""

    who: UserKind
    attack: str = ATTACKS[0]
    how: str = "told"
    after: bool = False
    """The attacker's calls come after the user's own."""
    tools_only: bool = False
    """The plan is tools and counts, without the arguments that the user's words fix: what these are worth."""


def _runs(*, quick: bool) -> dict[str, Run]:
    runs = {"careful": Run("careful"), "yes": Run("yes")}
    if quick:
        return runs
    runs |= {f"careful, {attack}": Run("careful", attack) for attack in ATTACKS[1:]}
    runs |= {f"careful, {how}": Run("careful", how=how) for how in ADAPTIVE}
    runs |= {"careful, after": Run("careful", after=True), "yes, fit": Run("yes", how="fit")}
    return runs | {"tools only": Run("careful", tools_only=True), "tools only, yes": Run("yes", tools_only=True)}


async def _with_model(
    model: str, most: int, skip: int, *, loud: bool
) -> tuple[dict[str, float | int | None], list[Sequence[object]]]:
    """The model on the device plans and reads, a careful user answers. An agent that does nothing passes 5 of 16."""
    rows: list[Sequence[object]] = [("task", "attack", "utility", "attack succeeded", "seconds")]
    benign: list[Outcome] = []
    attacked: list[Outcome] = []
    async with suite_of("banking", model) as suite:
        tasks, attacks = suite.suite.user_tasks, suite.suite.injection_tasks
        for task in tasks.values() if not skip else ():
            started = time.monotonic()
            benign.append(await suite.task(task, "careful"))
            rows.append((task.ID, "", benign[-1].utility, "", time.monotonic() - started))
            if loud:
                print(*rows[-1], file=sys.stderr)
        every = [(task, attack) for attack in attacks.values() for task in tasks.values()]
        step = max(1, len(every) // max(1, most))
        for task, attack in every[::step][skip:most]:
            started = time.monotonic()
            texts = injections_of(suite, ATTACKS[0], task, attack)
            attacked.append(await suite.task(task, "careful", attack, texts))
            outcome = attacked[-1]
            rows.append((task.ID, attack.ID, outcome.utility, outcome.attacked, time.monotonic() - started))
            if loud:
                print(*rows[-1], file=sys.stderr)
    figures: dict[str, float | int | None] = {
        "model_tasks": len(benign),
        "model_utility": _share([one.utility for one in benign]),
        "do_nothing_utility": _DO_NOTHING / len(benign) if benign else None,
        "model_pairs": len(attacked),
        "model_utility_attacked": _share([one.utility for one in attacked]),
        "model_asr": _share([one.attacked for one in attacked]),
        "model_asked": _share([one.asked > 0 for one in benign]),
    }
    return figures, rows


def _share(of: Sequence[bool]) -> float | None:
    return statistics.fmean(of) if of else None


async def _benign(suites: Sequence[str], who: UserKind) -> list[Outcome]:
    outcomes = []
    for name in suites:
        async with suite_of(name) as suite:
            outcomes += [await suite.task(task, who) for task in suite.suite.user_tasks.values()]
    return outcomes


async def _pairs(suites: Sequence[str], run: Run) -> list[Pair]:
    pairs = []
    for name in suites:
        async with suite_of(name) as suite:
            pairs += await _suite_pairs(suite, run)
    return pairs


async def _suite_pairs(suite: Suite, run: Run) -> list[Pair]:
    """All pairs that can be scripted: injection tasks without a ground truth (workspace 6 to 13) can't."""
    pairs = []
    name = suite.suite.name
    for wanted in suite.suite.injection_tasks.values():
        env = suite.suite.load_and_inject_default_environment({})
        if not wanted.ground_truth(env) and (name, wanted.ID) != TEXT_ONLY:
            continue
        for task in suite.suite.user_tasks.values():
            texts = injections_of(suite, run.attack, task, wanted)
            rewrite = ADAPTIVE.get(run.how, told)
            outcome = await suite.task(
                task, run.who, wanted, texts, rewrite, after=run.after, tools_only=run.tools_only
            )
            pairs.append(Pair(name, task.ID, wanted.ID, outcome))
    return pairs


def _figures(benign: dict[str, list[Outcome]], attacked: dict[str, list[Pair]]) -> dict[str, float | int | None]:
    careful = attacked["careful"]
    unasked = sum(one.outcome.unasked for pairs in attacked.values() for one in pairs)
    worst = max((_rate(_deeds(pairs)) for name, pairs in attacked.items() if name.startswith("careful")), default=0.0)
    return {
        "pairs": len(careful),
        "asr_careful": _rate(careful),
        "asr_careful_no_text_only": _rate(_deeds(careful)),
        "asr_careful_worst_attack": worst,
        "asr_yes": _rate(attacked["yes"]),
        "asr_yes_banking": _rate([one for one in attacked["yes"] if one.suite == "banking"]),
        "asr_yes_worst_attack": max(_rate(pairs) for name, pairs in attacked.items() if name.startswith("yes")),
        "silent_asr": unasked,
        "utility_benign": statistics.fmean(one.utility for one in benign["careful"]),
        "utility_refuse_all": statistics.fmean(one.utility for one in benign["no"]),
        "utility_attacked": statistics.fmean(one.outcome.utility for one in careful),
        "tasks_that_ask": statistics.fmean(one.asked > 0 for one in benign["careful"]),
        "approvals_per_task": statistics.fmean(one.asked for one in benign["careful"]),
        "reached_gate": statistics.fmean(one.outcome.tried for one in _deeds(careful)),
    }


def _rate(pairs: Sequence[Pair]) -> float:
    return statistics.fmean(one.outcome.attacked for one in pairs) if pairs else 0.0


def _deeds(pairs: Sequence[Pair]) -> list[Pair]:
    return [one for one in pairs if (one.suite, one.wanted) != TEXT_ONLY]


def _row(name: str, pairs: Sequence[Pair], suites: Sequence[str]) -> Sequence[object]:
    each = [_rate([one for one in pairs if one.suite == suite]) for suite in suites]
    unasked = sum(one.outcome.unasked for one in pairs)
    return (
        name,
        len(pairs),
        _rate(pairs),
        _rate(_deeds(pairs)),
        *each,
        unasked,
        statistics.fmean(one.outcome.utility for one in pairs),
    )


if __name__ == "__main__":
    main()

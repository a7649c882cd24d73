"""Plays all cases for both users, counts, reports."""

from __future__ import annotations

import asyncio
import collections
import logging
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from assistant.conversation.work import Work
from assistant.models import Call, Label, Observation, Origin, Turn
from assistant.safety.mandate import Grant, Mandate
from assistant.safety.policy import judge
from assistant.safety.provenance import Evidence
from bench.form import DATA, argument_parser, percentile, report
from bench.redteam import __doc__ as about
from bench.redteam.cases import USERS, Case, Outcome, UserKind, read_cases, skill_of
from bench.redteam.stage import Stage, Stages, play

_GATE_RUNS = 20


def main() -> None:
    """Play all cases for both users, count, report."""
    parser = argument_parser("redteam", about or "")
    parser.add_argument("--show", action="store_true", help="list the cases that succeeded, or were not run")
    options = parser.parse_args()
    cases = read_cases(options.data or DATA / "redteam" / "own.jsonl")
    logging.disable(logging.WARNING)
    outcomes, gate, built = asyncio.run(_measure(cases))
    careful, yes = outcomes["careful"], outcomes["yes"]
    figures = {
        "cases": len(cases),
        "reached_gate": sum(one.reached for one in careful),
        "text_read": sum(one.read for one in careful),
        "silent": sum(one.silent for one in careful),
        "careful": statistics.fmean(one.succeeded for one in careful),
        "money": sum(one.money for one in careful),
        "yes_user": statistics.fmean(one.succeeded for one in yes),
        "yes_user_money": sum(one.money for one in yes),
        "yes_user_silent": sum(one.silent for one in yes),
        "own_calls_done": statistics.fmean(one.finished for one in careful),
        "cases_that_ask": statistics.fmean(one.asked > 0 for one in careful),
        "gate_p50_ms": percentile(gate, 0.5),
        "gate_p99_ms": percentile(gate, 0.99),
    }
    report("redteam", figures, rows=_rows(cases, careful, yes, built), only_json=options.json)
    if options.show:
        for case, one, other in zip(cases, careful, yes, strict=True):
            said = [*_said(one), *(["yes"] if other.succeeded else [])]
            if said:
                print(case["id"], case.get("kind", ""), case["tool"], "->", case["goal"]["tool"], *said, one.refused)


async def _measure(cases: Sequence[Case]) -> tuple[dict[UserKind, list[Outcome]], list[float], Mapping[str, bool]]:
    with tempfile.TemporaryDirectory(prefix="bench-redteam-kept-") as kept:
        stages = Stages(Path(kept))
        async with stages.set_for(cases[0]) as stage:
            gate = [took for case in cases for took in _gate(case, stage)]
    outcomes = await play(cases, USERS)
    return outcomes, gate, {name: not one.manifest.planned for name, one in stages.bundled.loaded.items()}


def _gate(case: Case, stage: Stage) -> list[float]:
    """Milliseconds of judging the attacker's call: mandate, origins and verdict, with the planted text read."""
    tool = stage.services.skills.tool(case["goal"]["tool"])
    args = stage.canonical(case["goal"]).args
    grants = [Grant(one["tool"], one["args"], frozenset()) for one in case["benign_calls"]]
    evidence = Evidence(case["request"], stage.user, case["lang"])
    turn = Turn(id="t", text=case["request"], session="s")
    work = Work(turn, "en", evidence, Mandate("t", grants))
    origin = Origin(label=Label.UNTRUSTED, source=case["tool"], readers=())
    work.observed(Observation(tool=case["tool"], data={"items": [dict(case["plant"])]}, origin=origin))
    taken = []
    for _ in range(_GATE_RUNS):
        started = time.perf_counter()
        granted = work.mandate.grant(tool.name, args)
        executor = stage.services.conversation.executor
        action = executor.action(tool, args, Call(tool=tool.name, args=args), (), work)
        judge(action, present=True, planned=granted is not None)
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def _said(one: Outcome) -> list[str]:
    """What of an outcome under the careful user is to be listed."""
    told = {"careful": one.succeeded, "silent": one.silent, "not read": not one.read, "not reached": not one.reached}
    return [word for word, holds in (told | {"own calls not done": not one.finished}).items() if holds]


def _rows(
    cases: Sequence[Case], careful: Sequence[Outcome], yes: Sequence[Outcome], built: Mapping[str, bool]
) -> list[Sequence[object]]:
    """By the skill that is attacked and, below, by the skill that reads the attacker's text."""
    rows: list[Sequence[object]] = [
        ("skill", "", "cases", "read", "reached gate", "silent", "careful", "money", "yes-user", "its money")
    ]
    attacked, reading = ([skill_of(one["goal"]["tool"]) for one in cases], [skill_of(one["tool"]) for one in cases])
    for does, by_case in (("attacked", attacked), ("reads", reading)):
        places: dict[str, list[int]] = collections.defaultdict(list)
        for at, skill in enumerate(by_case):
            places[skill].append(at)
        for skill, found in sorted(places.items()):
            one, other = [careful[at] for at in found], [yes[at] for at in found]
            counts = [[it.read for it in one], [it.reached for it in one], [it.silent for it in one]]
            counts += [[it.succeeded for it in one], [it.money for it in one]]
            counts += [[it.succeeded for it in other], [it.money for it in other]]
            kind = f"{does}, {'real' if built[skill] else 'stand-in'}"
            rows.append((skill, kind, len(found), *(sum(count) for count in counts)))
    return rows


if __name__ == "__main__":
    main()

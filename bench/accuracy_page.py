"""The accuracy bench's figures as one Markdown page. Knows no daemon, and copies no item's text.

`Runs` are the scored items by model: every model has the same items in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.form import median, percentile
from bench.utterances import Scored, groups, model_seconds, share, summarize, template_ms

Runs = Mapping[str, Sequence[Scored]]

_GROUPS = {"kind": "By kind", "lang": "By language", "skill": "By skill"}
_NONE = "–"
_DECIDED = {"intent": "template", "cloud": "cloud"}


def figures_of(scored: Sequence[Scored]) -> tuple[dict[str, float | int | None], dict[str, str]]:
    """The figures of the utterance bench and three more, and why some are None.

    `by_template` is the share of all items that a template decided.
    """
    figures, notes = summarize(scored)
    figures |= {
        "by_template": share([one.via == "intent" for one in scored]),
        "template_p50_ms": median(template_ms(scored)),
        "model_p95_s": percentile(model_seconds(scored), 0.95),
    }
    same = {"by_template": "exact", "template_p50_ms": "template_p95_ms", "model_p95_s": "model_median_s"}
    return figures, notes | {name: notes[other] for name, other in same.items() if figures[name] is None}


def page(
    runs: Runs, *, command: str, machine: Mapping[str, Any], date: str = "", skipped: Mapping[str, str] | None = None
) -> str:
    """The page. `machine` is what `form.machine` returns, `skipped` says by model why it has no run.

    Raises ValueError where the models have not the same items.
    """
    if len({tuple(str(one.item["id"]) for one in scored) for scored in runs.values()}) != 1:
        raise ValueError(f"{', '.join(runs)} have not the same items")
    head = [f"- Command: `{command}`", *([f"- Date: {date}"] if date else []), f"- Machine: {_machine(machine)}"]
    head += [f"- **Skipped**: `{model}`: {reason}" for model, reason in (skipped or {}).items()]
    parts = ["# Accuracy", _INTRODUCTION, "\n".join(head), "## Models", _table(overview(runs))]
    if failed := _failed(runs):
        parts.append(failed)
    for group, heading in _GROUPS.items():
        parts += [f"## {heading}", _GROUPS_SAY, _table(_group_rows(runs, group))]
    parts += ["## Items", _ITEMS_SAY.format(model=next(iter(runs))), _table(_item_rows(runs))]
    return "\n\n".join(parts) + "\n"


def overview(runs: Runs) -> list[list[str]]:
    """A heading and a row for each model."""
    rows = [["model", *(heading for heading, _, _ in _COLUMNS)]]
    for model, scored in runs.items():
        figures, _ = figures_of(scored)
        rows.append([model, *(_NONE if (value := figures[name]) is None else say(value) for _, name, say in _COLUMNS)])
    return rows


def _group_rows(runs: Runs, group: str) -> list[list[str]]:
    """A heading and a row for each value of the group: it, its items, the exact share with each model."""
    by_model = [groups(scored) for scored in runs.values()]
    rows = [[group, "n", *runs]]
    for name, members in by_model[0].items():
        if name[0] == group:
            exact = [share([one.score.exact for one in found[name]]) or 0.0 for found in by_model]
            rows.append([name[1], str(len(members)), *map(_percent, exact)])
    return rows


def _item_rows(runs: Runs) -> list[list[str]]:
    """A heading and a row for each item; who decided and how long it took are the first model's."""
    rows = [["item", "lang", "kind", "decided by", *runs, "ms"]]
    for results in zip(*runs.values(), strict=True):
        first = results[0]
        right = ["✓" if one.score.exact else "✗" for one in results]
        took = _count(first.plan["ms"]) if first.plan else _NONE
        kind = first.item["expect"]["kind"]
        rows.append([str(first.item["id"]), first.item["lang"], kind, _decided(first), *right, took])
    return rows


def _decided(one: Scored) -> str:
    """Who decided an item; nobody where it was left to a model and there is none."""
    if one.plan is None:
        return "failed"
    return _DECIDED.get(one.via) or ("model" if one.plan.get("prompt_tokens") else "nobody")


def _failed(runs: Runs) -> str:
    """How many items failed with each model. Not with which error: it might say the item's words."""
    counts = {model: sum(one.plan is None for one in scored) for model, scored in runs.items()}
    return "\n".join(
        f"- `{model}`: {count} items failed and count as wrong." for model, count in counts.items() if count
    )


def _machine(machine: Mapping[str, Any]) -> str:
    load = " ".join(map(str, machine["load"]))
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['ram_gb']} GB, Python {machine['python']}, "
        f"llama-cpp-python {machine['llama_cpp_python'] or _NONE}; load at the end {load}"
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first a heading, as Markdown."""
    lines = [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _count(value: float) -> str:
    return f"{value:.0f}"


def _seconds(value: float) -> str:
    return f"{value:.1f}"


_COLUMNS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("n", "n", _count),
    ("exact", "exact", _percent),
    ("en", "exact_en", _percent),
    ("zh", "exact_zh", _percent),
    ("other", "exact_other", _percent),
    ("ask", "exact_ask", _percent),
    ("refuse", "exact_refuse", _percent),
    ("reply", "exact_reply", _percent),
    ("wrong side effects", "wrong_side_effects", _count),
    ("by template", "by_template", _percent),
    ("template p50 ms", "template_p50_ms", _count),
    ("template p95 ms", "template_p95_ms", _count),
    ("model median s", "model_median_s", _seconds),
    ("model p95 s", "model_p95_s", _seconds),
)
"""Heading, figure, how it is written."""

_INTRODUCTION = (
    "The same commands with each model in turn, planned by a daemon without doing anything. Written by the command; "
    "what the figures mean is said in `bench/utterances.py` and `bench/scoring.py`. `templates` is the assistant "
    "without any model: what no template decides counts as wrong."
)
_GROUPS_SAY = "Exact share with each model."
_ITEMS_SAY = "Without their texts. Who decided and the milliseconds are those of `{model}`."

"""The accuracy page, made from made-up results, and what the bench does about a model that can't be had."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import accuracy
from bench.accuracy_page import figures_of, overview, page
from bench.scoring import Score
from bench.utterances import Scored, groups

MACHINE = {
    "cpu": "Made-up CPU",
    "cores": 2,
    "ram_gb": 24.0,
    "python": "3.11.7",
    "llama_cpp_python": None,
    "load": [0.5, 0.25, 0.0],
}
RIGHT, WRONG = Score(tool=True, exact=True), Score(tool=False, exact=False)


def item(name: str, lang: str, kind: str, *tools: str) -> dict[str, Any]:
    calls = {"calls": [{"tool": tool, "args": {}} for tool in tools]} if kind == "call" else {}
    return {"id": name, "lang": lang, "text": f"secret words of {name}", "expect": {"kind": kind, **calls}, "tags": []}


def by_template(one: Mapping[str, Any], ms: int, score: Score = RIGHT) -> Scored:
    return Scored(one, {"kind": "call", "via": "intent", "ms": ms}, score)


def by_model(one: Mapping[str, Any], ms: int, score: Score = RIGHT) -> Scored:
    return Scored(one, {"kind": "reply", "via": "model", "ms": ms, "prompt_tokens": 900, "uncached_tokens": 40}, score)


def undecided(one: Mapping[str, Any]) -> Scored:
    return Scored(one, {"kind": "escalate", "via": "model", "ms": 3, "prompt_tokens": None}, WRONG)


CALL, TALK, ASK = (
    item("a1", "en", "call", "email.search", "reminders.add"),
    item("a2", "zh", "reply"),
    item("a3", "de", "ask"),
)
ACTED = Score(tool=False, exact=False, side_effect=True)
RUNS = {
    "big": [by_template(CALL, 12), by_model(TALK, 2500), by_model(ASK, 4100, ACTED)],
    "small": [by_template(CALL, 10), Scored(TALK, None, WRONG, "secret words of a2"), by_model(ASK, 600)],
    "templates": [by_template(CALL, 8), undecided(TALK), undecided(ASK)],
}


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading, the rule left out."""
    part = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def written(runs: Mapping[str, Sequence[Scored]] = RUNS, **more: Any) -> str:
    return page(runs, command="python -m bench.accuracy --data x.jsonl", machine=MACHINE, **more)


def test_the_page_says_command_date_machine_and_what_was_skipped() -> None:
    text = written(date="2026-11-23", skipped={"huge": "not to be had"})
    assert "Command: `python -m bench.accuracy --data x.jsonl`" in text
    assert "Date: 2026-11-23" in text
    assert "Made-up CPU, 2 cores, 24.0 GB, Python 3.11.7, llama-cpp-python –; load at the end 0.5 0.25 0.0" in text
    assert "**Skipped**: `huge`: not to be had" in text


def test_without_a_date_or_anything_skipped_the_page_says_nothing_of_them() -> None:
    assert "Date" not in written()
    assert "Skipped" not in written()


def test_the_first_table_has_a_row_for_each_model() -> None:
    heading, big, small, templates = rows(written(), "Models")
    assert heading[:9] == ["model", "n", "exact", "en", "zh", "other", "ask", "refuse", "reply"]
    assert heading[9:11] == ["wrong side effects", "by template"]
    assert heading[11:] == ["template p50 ms", "template p95 ms", "model median s", "model p95 s"]
    assert big == "big 3 66.7% 100.0% 100.0% 0.0% 0.0% – 100.0% 1 33.3% 12 12 2.5 4.1".split()
    assert small == "small 3 66.7% 100.0% 0.0% 100.0% 100.0% – 0.0% 0 33.3% 10 10 0.6 0.6".split()
    assert templates == "templates 3 33.3% 100.0% 0.0% 0.0% 0.0% – 0.0% 0 33.3% 8 8 – –".split()


def test_kinds_languages_and_skills_have_a_column_for_each_model() -> None:
    text = written()
    assert rows(text, "By kind") == [
        ["kind", "n", "big", "small", "templates"],
        ["ask", "1", "0.0%", "100.0%", "0.0%"],
        ["call", "1", "100.0%", "100.0%", "100.0%"],
        ["reply", "1", "100.0%", "0.0%", "0.0%"],
    ]
    assert [row[0] for row in rows(text, "By language")] == ["lang", "de", "en", "zh"]
    assert [row[0] for row in rows(text, "By skill")] == ["skill", "email", "reminders"]


def test_an_item_says_who_decided_and_is_right_or_wrong_with_each_model() -> None:
    assert rows(written(), "Items") == [
        ["item", "lang", "kind", "decided by", "big", "small", "templates", "ms"],
        ["a1", "en", "call", "template", "✓", "✓", "✓", "12"],
        ["a2", "zh", "reply", "model", "✓", "✗", "✗", "2500"],
        ["a3", "de", "ask", "model", "✗", "✓", "✗", "4100"],
    ]


@pytest.mark.parametrize(
    ("model", "deciders"), [("small", ["template", "failed", "model"]), ("templates", ["template", "nobody", "nobody"])]
)
def test_an_item_that_failed_or_that_nobody_decided_says_so(model: str, deciders: Sequence[str]) -> None:
    text = written({model: RUNS[model]})
    assert [row[3] for row in rows(text, "Items")[1:]] == deciders
    assert f"those of `{model}`" in text


def test_the_page_holds_no_items_words_even_where_one_failed() -> None:
    assert "secret" not in written()
    assert "`small`: 1 items failed" in written()


def test_models_with_other_items_are_refused() -> None:
    with pytest.raises(ValueError, match="same items"):
        written({"big": RUNS["big"], "short": RUNS["big"][:1]})


def test_every_figure_without_a_value_has_its_reason() -> None:
    for scored in (*RUNS.values(), []):
        figures, notes = figures_of(scored)
        assert {name for name, value in figures.items() if value is None} <= set(notes)


def test_an_item_counts_in_each_of_its_groups() -> None:
    found = groups(RUNS["big"])
    assert [one.item["id"] for one in found["skill", "reminders"]] == ["a1"]
    assert {name for name in found if name[0] == "via"} == {("via", "intent"), ("via", "model")}


def test_a_model_that_cannot_be_had_is_skipped_loudly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def measured(model: str, *_: object, quiet: bool) -> list[Scored]:
        if model == "absent":
            raise subprocess.CalledProcessError(3, ["assistant"])
        return RUNS[model]

    monkeypatch.setattr(accuracy, "measure", measured)
    file = tmp_path / "page.md"
    words = ["--models", "absent", "big", "templates", "--report", str(file), "--json"]
    monkeypatch.setattr(sys, "argv", ["accuracy", *words])
    accuracy.main()
    out, told = capsys.readouterr()
    line = json.loads(out)
    assert "SKIPPED absent" in told
    assert "**Skipped**: `absent`: it is not here and could not be pulled (exit status 3)" in file.read_text("utf-8")
    assert "absent/skipped" in line["notes"]
    assert line["figures"]["big/exact"] == pytest.approx(2 / 3)
    assert [row[0] for row in overview({"big": RUNS["big"]})] == ["model", "big"]


def test_a_page_that_could_not_be_written_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["accuracy", "--report", str(tmp_path / "absent" / "page.md")])
    with pytest.raises(SystemExit):
        accuracy.main()
    assert "is no folder" in capsys.readouterr().err


def test_without_any_model_no_page_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(*_: object, quiet: bool) -> list[Scored]:
        raise subprocess.CalledProcessError(3, ["assistant"])

    monkeypatch.setattr(accuracy, "measure", absent)
    monkeypatch.setattr(sys, "argv", ["accuracy", "--report", str(tmp_path / "page.md")])
    with pytest.raises(SystemExit, match="no model"):
        accuracy.main()
    assert not list(tmp_path.iterdir())

"""What all benches share: the report's last line, percentiles, and the figures of the utterance bench."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import form
from bench.scoring import Contract, score
from bench.utterances import Scored, read_items, summarize


def test_the_last_line_is_one_json_object_with_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    form.report(
        "sample", {"n": 3, "share": 0.5, "absent": None}, {"absent": "nothing to measure"}, [("a", "b"), (1, 2.0)]
    )
    out = capsys.readouterr().out
    line = json.loads(out.splitlines()[-1])
    assert line["bench"] == "sample"
    assert line["figures"] == {"n": 3, "share": 0.5, "absent": None}
    assert line["notes"] == {"absent": "nothing to measure"}
    assert line["machine"]["cores"] >= 1
    assert "0.5000" in out
    assert "–" in out


def test_with_json_alone_nothing_else_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    form.report("sample", {"n": 3}, rows=[("a",)], only_json=True)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_figure_without_value_and_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="absent"):
        form.report("sample", {"absent": None})


def test_percentiles_are_by_nearest_rank() -> None:
    values = [float(value) for value in range(1, 101)]
    assert form.percentile(values, 0.95) == 95
    assert form.median([3.0, 1.0, 2.0]) == 2
    assert form.percentile([], 0.5) is None


def test_every_bench_takes_data_and_json() -> None:
    options = form.argument_parser("sample").parse_args(["--data", "x.jsonl", "--json"])
    assert options.data == Path("x.jsonl")
    assert options.json


def test_a_home_moves_everything_and_leaves_no_trace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASSISTANT_MODELS", str(tmp_path))
    monkeypatch.delenv("ASSISTANT_HOME", raising=False)
    with form.Home({"engine.model": "scripted:x"}, start=False) as home:
        folder = home.paths.config
        assert home.paths.models == tmp_path
        assert form.os.environ["ASSISTANT__ENGINE__MODEL"] == '"scripted:x"'
        assert folder.exists()
    assert not folder.exists()
    assert "ASSISTANT_HOME" not in form.os.environ
    assert "ASSISTANT__ENGINE__MODEL" not in form.os.environ


def test_the_benchs_own_items_are_sound_and_in_several_languages() -> None:
    items = read_items(form.DATA / "utterances.jsonl")
    assert len(items) >= 20
    assert {item["lang"] for item in items} >= {"en", "zh"}
    contract = Contract()
    for item in items:
        expect = item["expect"]
        for wanted in [expect["calls"]] if "calls" in expect else expect.get("any", []):
            for call in wanted:
                assert contract.effect(call["tool"])
                unknown = [name for name in call["args"] if name not in contract._tools[call["tool"]]["args"]]
                assert not unknown


def test_a_line_that_is_no_item_is_named(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text('{"id": "a", "lang": "en", "text": "hi", "expect": {"kind": "reply"}}\n{"id": 1}\n')
    with pytest.raises(ValueError, match="line 2"):
        read_items(file)


def test_figures_count_who_decided_and_explain_what_is_not_there() -> None:
    contract = Contract()
    item = {"id": "a", "lang": "en", "text": "hi", "expect": {"kind": "reply"}, "tags": []}
    right = {"kind": "reply", "calls": [], "reply": "Hi.", "via": "intent", "ms": 4}
    slow = {"kind": "reply", "reply": "Hi.", "via": "model", "ms": 2500, "prompt_tokens": 900, "uncached_tokens": 40}
    scored = [Scored(item, plan, score(item, plan, contract)) for plan in (right, slow)]
    scored.append(Scored(item, None, score(item, None, contract), "engine.worker_died()"))
    figures, notes = summarize(scored)
    assert figures["n"] == 3
    assert figures["exact"] == pytest.approx(2 / 3)
    assert figures["exact_en"] == figures["exact"]
    assert figures["exact_zh"] is None
    assert figures["templates_exact"] == pytest.approx(1 / 3)
    assert figures["templates_precision"] == 1
    assert figures["template_p95_ms"] == 4
    assert figures["model_median_s"] == 2.5
    assert figures["prompt_tokens"] == 900
    assert figures["uncached_tokens"] == 40
    assert "worker_died" in notes["exact"]
    assert {name for name, value in figures.items() if value is None} <= set(notes)

"""How the documents bench scores what was said."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.documents import Answered, Item, read_items, summarize

RENT = Item("1", "en", "How much is the rent?", ("1180", "1,180 EUR"), "Lease 2026.pdf")
ABSENT = Item("2", "zh", "血型？", (), "")


def said(item: Item, text: str, *, found: bool = True, problem: str = "") -> Answered:
    return Answered(item, text, {"found": found}, 1.0, problem)


def test_an_answer_is_right_with_other_marks_and_its_file() -> None:
    one = said(RENT, "１,180 euros (lease 2026.pdf, page 2: “…”)")
    assert (one.answered, one.cited, one.right) == (True, True, True)


@pytest.mark.parametrize(
    "text",
    ["1,280 euros (lease 2026.pdf, page 2)", "1,180 euros (tenancy.pdf, page 2)", ""],
    ids=["value", "file", "none"],
)
def test_another_value_or_another_file_is_wrong(text: str) -> None:
    assert not said(RENT, text).right


def test_an_answer_that_says_it_found_none_is_wrong() -> None:
    assert not said(RENT, "I can't find 1180 in Lease 2026.pdf", found=False).right


def test_what_no_file_says_must_be_said_not_to_be_there_and_a_failure_is_not_that() -> None:
    assert said(ABSENT, "没有找到", found=False).right
    assert not said(ABSENT, "A型").right
    assert not said(ABSENT, "", found=False, problem="the daemon is gone").right


def test_the_figures_are_shares_of_what_can_be_answered_and_what_can_not() -> None:
    answered = [said(RENT, "1180 Lease 2026.pdf"), said(RENT, "1180"), said(ABSENT, "A型")]
    figures, notes = summarize(answered, None)
    assert (figures["answered_right"], figures["cited"], figures["right_and_cited"]) == (1.0, 0.5, 0.5)
    assert (figures["n"], figures["unanswerable_right"]) == (3, 0.0)
    assert "index_s" in notes


def test_a_line_that_is_no_item_is_named(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"id": "1"}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="line 1"):
        read_items(tmp_path / "q.jsonl")

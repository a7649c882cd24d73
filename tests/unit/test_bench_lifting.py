"""The sums of the lift, and its questions. Asks no model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.memory.lifting import _figures, _put
from bench.memory.public import Choice, prefeval_choices

CHOICE = Choice("I eat no fish", "What should I cook?", ("beans", "tuna", "salmon", "cod"))


def test_the_right_option_stands_behind_the_letter_that_is_right_and_not_always_the_same() -> None:
    put = [_put(CHOICE, number) for number in range(30)]
    assert all(f"\n{letter}. beans\n" in text for text, letter in put)
    assert {letter for _, letter in put} == set("ABCD")
    assert put == [_put(CHOICE, number) for number in range(30)]


def test_the_lift_is_that_over_no_profile_in_points_with_its_standard_error() -> None:
    figures = _figures({"none": [0, 0, 1, 1], "oracle": [1, 1, 1, 1], "retrieved": [1, 0, 1, 1]})
    assert figures["lift_points"] == 25
    assert figures["lift_of_oracle"] == 0.75
    assert figures["lift_se"] == pytest.approx(25)
    assert figures["lift_n"] == 4


def test_questions_without_four_options_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "mcq_options").mkdir()
    rows = [
        {"preference": "p", "question": "q", "classification_task_options": options}
        for options in (["a", "b"], ["a", "b", "c", "d"])
    ]
    (tmp_path / "mcq_options" / "x.json").write_text(json.dumps(rows), encoding="utf-8")
    assert prefeval_choices(tmp_path) == [Choice("p", "q", ("a", "b", "c", "d"))]

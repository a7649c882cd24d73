"""What is kept for the next start is the same as what is worked out, and never stale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.kept import Kept


def _counting(calls: list[list[str]], texts: list[str]) -> Callable[[], list[int]]:
    def make() -> list[int]:
        calls.append(texts)
        return [len(text) for text in texts]

    return make


def test_the_same_texts_are_worked_out_once(tmp_path: Path) -> None:
    calls: list[list[str]] = []
    for _ in range(3):
        assert Kept(tmp_path / "kept").of("lengths", ["a", "bb"], _counting(calls, ["a", "bb"])) == [1, 2]
    assert calls == [["a", "bb"]]


@pytest.mark.parametrize("changed", [["a", "b"], ["ab"], ["bb", "a"], []])
def test_changed_texts_are_worked_out_again(tmp_path: Path, changed: list[str]) -> None:
    Kept(tmp_path).of("lengths", ["a", "bb"], _counting([], ["a", "bb"]))
    assert Kept(tmp_path).of("lengths", changed, _counting([], changed)) == [len(text) for text in changed]


@pytest.mark.parametrize("damage", ["", "[", "[1]", '{"a": 1}', "null", "\x00"])
def test_a_damaged_file_is_replaced(tmp_path: Path, damage: str) -> None:
    Kept(tmp_path).of("lengths", ["a"], _counting([], ["a"]))
    (tmp_path / "lengths.json").write_text(damage)
    calls: list[list[str]] = []
    for _ in range(2):
        assert Kept(tmp_path).of("lengths", ["a"], _counting(calls, ["a"])) == [1]
    assert len(calls) == 1


def test_a_folder_that_cannot_be_written_costs_the_work_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    assert Kept(tmp_path / "kept").of("lengths", ["a"], _counting([], ["a"])) == [1]
    assert Kept().of("lengths", ["a"], _counting([], ["a"])) == [1]

"""The sums behind recall, and the files of vectors."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.memory.recall import asks_for_advice, moments, spread
from assistant.memory.vectors import FAMILIES, VectorFiles, family
from assistant.vectors import EMPTY, RECORD

NUMBERS = st.lists(st.floats(0, 20), max_size=20)


@given(NUMBERS, st.integers(0, 30))
def test_moments_are_those_of_the_scores_and_as_many_zeros_as_are_missing(scores: list[float], zeros: int) -> None:
    whole = scores + [0.0] * zeros
    mean, deviation = moments(scores, len(whole))
    assert mean == pytest.approx(statistics.fmean(whole) if whole else 0.0)
    spread_of_all = statistics.pstdev(whole) if whole else 0.0
    assert deviation == pytest.approx(max(spread_of_all, 1.0), abs=1e-4)  # where little is kept, no word stands out


def test_a_score_takes_a_part_of_its_neighbours() -> None:
    scores, weights = {1: 1.0, 2: 10.0, 4: 100.0}, {-1: 0.5, 1: 0.25}
    assert spread(scores, 2, {-1: 1, 1: 4}, weights) == 10 + 0.5 + 25
    assert spread(scores, 2, {}, weights) == 10
    assert spread(scores, 3, {-1: 2}, weights) == 5
    assert spread(scores, 2, {-1: 9}, weights, missing=4.0) == 10 + 2 + 1


@pytest.mark.parametrize(
    ("query", "advice"),
    [
        ("can you recommend a restaurant?", True),
        ("推荐一家餐厅", True),
        ("when did I recommend that restaurant?", False),
        ("what is my shoe size", False),
        ("我的生日是什么时候", False),
    ],
)
def test_a_choice_is_told_from_a_memory(query: str, advice: bool) -> None:
    assert asks_for_advice(query) is advice


@pytest.fixture
def files(tmp_path: Path) -> VectorFiles:
    return VectorFiles(tmp_path / "vectors")


def record(mark: int) -> bytes:
    return bytes([mark]) * RECORD


def test_texts_are_kept_by_the_family_of_their_script() -> None:
    assert [family(one) for one in ("I live in Rome", "我住在罗马", "我的 phone 坏了", "", "123", "日本")] == [
        "other", "han", "han", "other", "other", "han",
    ]  # fmt: skip


def test_the_next_number_is_after_the_last_of_any_family(files: VectorFiles) -> None:
    assert files.next("v1") == 0
    files.write("v1", [(1, "Rome", record(1)), (3, "罗马", record(3)), (4, "Oslo", record(4))])
    assert files.next("v1") == 5
    assert files.of("v1", "other").read_bytes() == EMPTY + record(1) + EMPTY * 2 + record(4)
    assert files.of("v1", "han").read_bytes() == EMPTY * 3 + record(3)
    assert files.of("v1", "han").stat().st_mode & 0o777 == 0o600


def test_what_a_crash_left_of_a_record_is_cut_off_and_made_again(files: VectorFiles) -> None:
    files.write("v1", [(0, "Rome", record(1)), (1, "Oslo", record(2))])
    file = files.of("v1", "other")
    file.write_bytes(file.read_bytes()[:-7])
    assert files.next("v1") == 1
    assert file.read_bytes() == record(1)


def test_a_write_that_breaks_off_leaves_no_gap_before_the_next_number(
    files: VectorFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    real, left = os.pwrite, [2]

    def failing(handle: int, data: bytes, at: int) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("the disk is gone")
        return real(handle, data, at)

    monkeypatch.setattr("assistant.memory.vectors.os.pwrite", failing)
    with pytest.raises(OSError, match="gone"):
        files.write(
            "v1", [(1, "Rome", record(1)), (2, "罗马", record(2)), (3, "Oslo", record(3)), (4, "北京", record(4))]
        )
    assert files.next("v1") == 3


def test_emptying_zeroes_the_records_and_nothing_beside_them(files: VectorFiles) -> None:
    files.write("v1", [(number, "Rome", record(number + 1)) for number in range(4)])
    files.empty([1, 2, 99])
    assert files.of("v1", "other").read_bytes() == record(1) + EMPTY * 2 + record(4)
    assert files.next("v1") == 4


def test_files_of_other_models_are_removed(files: VectorFiles) -> None:
    files.write("v1", [(0, "Rome", record(1)), (1, "罗马", record(1))])
    assert files.next("v2") == 0
    assert not any(files.of("v1", written).exists() for written in FAMILIES)

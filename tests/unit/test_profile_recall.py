"""The sums behind recall, and the files of vectors."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.memory.evidence import Neighbour
from assistant.memory.newest import newest_first
from assistant.memory.recall import asks_for_advice, asks_what_holds, questions_in
from assistant.memory.vectors import FAMILIES, VectorFiles, family
from assistant.memory.weighing import Candidate, Scores, moments, of_words
from assistant.vectors import EMPTY, RECORD

NUMBERS = st.lists(st.floats(0, 20), max_size=20)


@given(NUMBERS, st.integers(0, 30))
def test_moments_are_those_of_the_scores_and_as_many_zeros_as_are_missing(scores: list[float], zeros: int) -> None:
    whole = scores + [0.0] * zeros
    mean, deviation = moments(scores, len(whole))
    assert mean == pytest.approx(statistics.fmean(whole) if whole else 0.0)
    assert deviation == pytest.approx(statistics.pstdev(whole) if whole else 0.0, abs=1e-4)


def test_where_little_is_kept_no_word_stands_out() -> None:
    assert of_words({1: 0.2, 2: 0.1}, 2, {}).deviation == 1


def test_a_score_takes_a_part_of_what_another_one_said_before_it() -> None:
    scores = Scores({1: 1.0, 2: 10.0}, mean=0, deviation=1, around={-1: 0.5})
    wide = (1 + 0.25) ** 0.5
    assert scores.standard(2, [Neighbour(-1, 1, same=False)]) == pytest.approx((10 + 0.5) / wide)
    assert scores.standard(2, [Neighbour(-1, 9, same=False)]) == pytest.approx(10 / wide)
    assert scores.standard(2, []) == pytest.approx(10 / wide)
    own = scores.standard(2, [Neighbour(-1, 1, same=True)])  # the same person goes on: that says little
    assert 10 / wide < own < 10.1
    unknown = Scores({2: 10.0}, mean=0, deviation=1, around={-1: 0.5}, missing=True)
    assert unknown.standard(2, [Neighbour(-1, 9, same=False)]) == pytest.approx(15 / wide)


@given(st.dictionaries(st.integers(0, 9), st.floats(0, 9), min_size=2))
def test_standard_scores_of_all_texts_have_no_mean(known: dict[int, float]) -> None:
    mean, deviation = moments(known.values(), len(known))
    scores = Scores(known, mean, deviation)
    assert sum(scores.standard(number, []) for number in known) == pytest.approx(0, abs=1e-6)


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


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("how many books do I want to read?", True),
        ("what was my budget originally?", False),
        ("what did I earn in 2019?", False),
        ("have I ever been to Rome?", False),
        ("我的预算是多少", True),
        ("我以前的预算是多少", False),
        ("我去过罗马吗", False),
    ],
)
def test_what_holds_now_is_told_from_what_once_was(query: str, holds: bool) -> None:
    assert asks_what_holds(query) is holds


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("Where do I live?", 1),
        ("Hi! Where do I live? Thanks!", 1),
        ("What's my shoe size, and also when is my birthday?", 2),
        ("我妈妈的电话是多少？另外，我在哪里上班？", 2),
        ("我对什么过敏", 1),
        ("a b c? a b c? a b c? a b c?", 3),
    ],
)
def test_several_questions_in_one_are_told_apart(query: str, parts: int) -> None:
    assert len(questions_in(query)) == parts


def candidate(number: int, text: str, at: str, *stated: str, score: float = 5.0) -> Candidate:
    return Candidate(number, text, "", "", at, [(one, True) for one in stated], score)


def test_the_later_of_two_answers_comes_first_whatever_was_taken_in_first() -> None:
    ranked = [
        candidate(2, "My book budget is 35 a month", "2026-01"),
        candidate(5, "The dog sleeps", "2026-04"),
        candidate(1, "I raised the budget for books to 50", "2026-03"),
    ]
    order = [one.number for one in newest_first(ranked, "what is my monthly book budget?", advice=False)]
    assert order == [1, 5, 2]  # what names nothing of it keeps its place


def test_what_is_hardly_an_answer_does_not_take_the_place_of_one() -> None:
    ranked = [candidate(1, "My book budget is 35", "2026-01"), candidate(2, "The budget!", "2026-02", score=0.5)]
    assert newest_first(ranked, "what is my book budget?", advice=False) == ranked


def test_how_the_user_wants_things_keeps_its_place_where_advice_is_asked_for() -> None:
    ranked = [candidate(1, "I only eat vegetarian food", "2026-01", "diet"), candidate(2, "I eat food", "2026-02")]
    assert newest_first(ranked, "what food should I eat?", advice=True) == ranked
    assert newest_first(ranked, "what food do I eat?", advice=False) == ranked[::-1]


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

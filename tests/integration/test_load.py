"""The short forms of `bench.load`: a crowd, odd input and a soak, each on a real daemon."""

from __future__ import annotations

import pytest

from bench import fuzz, load, soak


def test_a_crowd_is_served_without_cross_talk_and_nothing_is_lost_or_doubled() -> None:
    figures, seen = load.measure(4, 12, settle_s=0)
    assert not seen
    assert [figures[name] for name in ("requests", "errors", "cross_talk", "lost", "doubled")] == [48, 0, 0, 0, 0]


def test_odd_input_at_every_door_breaks_nothing() -> None:
    findings = fuzz.measure(200, fuzz.SEED)
    assert not findings.seen
    figures = findings.figures()
    assert figures["fuzzed"] == pytest.approx(200, abs=20)
    assert [figures[name] for name in ("crashes", "hangs", "tracebacks", "unrecorded_effects")] == [0, 0, 0, 0]


def test_turns_leave_no_handles_behind() -> None:
    figures, grown = soak.measure(100, settle_s=0)
    assert not figures["soak_errors"]
    assert [figures["fd_growth"], figures["thread_growth"]] == [0, 0]
    assert {name for name in grown.after["tasks"] if name.startswith("turn-")} == set()
    assert soak.least_squares([(0, 1), (1000, 3), (2000, 5)]) == pytest.approx(0.002)

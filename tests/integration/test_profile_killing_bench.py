"""The daemon killed a few times while its profile is written to; `bench.memory --only kills` does so 100 times."""

from __future__ import annotations

from bench.memory.killing import tormented


def test_nothing_is_lost_or_doubled_when_it_is_killed() -> None:
    found = tormented(3, 2)
    assert found.kills == 3
    assert found.deeds > 0
    assert (found.lost, found.doubled, found.inconsistent) == ([], [], [])

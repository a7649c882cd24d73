"""A small run of what `bench.memory --only forget` measures: what is forgotten leaves nothing, the rest is unharmed."""

from __future__ import annotations

from pathlib import Path

from bench.memory.forgetting import lived


async def test_twenty_facts_of_all_shapes_are_forgotten_without_a_trace(tmp_path: Path) -> None:
    found = await lived(tmp_path, 20, 120, 7)
    assert found.leaks == []
    assert found.harmed == []
    assert len(found.seconds) == 20

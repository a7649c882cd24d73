"""The bound on a digest's tokens against the real tokenizer of the small model, in both languages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assistant.clock import FrozenClock
from assistant.memory.digest import MOST, most_tokens
from assistant.memory.keeper import KeptProfile
from assistant.skillkit.context import Calm
from assistant.store import open_database
from bench.form import DATA
from tests.integration.test_engine_worker import running
from tests.support.profiles import SlowEmbedder

pytestmark = pytest.mark.model
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def profile_of(folder: Path, tongue: str) -> KeptProfile:
    """All that the project's labelled turns of a language state."""
    profile = KeptProfile(open_database(":memory:"), FrozenClock(NOW), folder, SlowEmbedder(ready=False), Calm())
    for line in (DATA / "memory" / "turns.jsonl").read_text(encoding="utf-8").splitlines():
        turn = json.loads(line)
        if turn["lang"] == tongue:
            profile.take_in(turn["text"], f"turn:{turn['id']}", language=tongue, at=NOW)
            profile.remember(turn["text"], f"asked:{turn['id']}", language=tongue)
    return profile


@pytest.mark.parametrize("tongue", ["en", "zh"])
async def test_a_full_digest_has_no_more_tokens_than_it_is_counted_for(
    small_model: Path, tmp_path: Path, tongue: str
) -> None:
    profile = profile_of(tmp_path / "profile", tongue)
    digest = profile.digest(tongue, private=True)
    assert most_tokens(digest) > MOST * 0.8
    async with running(small_model, tmp_path / "home") as engine:
        assert await engine.tokenize(digest) <= most_tokens(digest) <= MOST

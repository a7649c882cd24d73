"""A kill at every state edge but the mail's, which `test_safety_kills.py` tries; no failpoint is left untried."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from assistant.vectors import LEGS
from bench.faults.edges import EDGES, Scenario, in_the_program, try_edge

pytestmark = pytest.mark.usefixtures("many_daemons")

LOCAL = [edge for edge in EDGES if not edge[2]]
WHOLE = (
    *("file", "vault", "config", "models", "restore.begun", "restore.placed", "restore.settled"),
    *("profile.export", "profile.mended"),
)
FAMILIES = {
    "{edge}.written": WHOLE,
    "{edge}.placed": WHOLE,
    "{edge}.before": ("outbox.approved-sending", "outbox.sending-done", "outbox.unknown-done"),
    "{edge}.after": ("outbox.approved-sending", "outbox.sending-done", "outbox.unknown-done"),
    "restore.moved{side}": ("", "-wal", "-shm"),
    "approval.{state}.after": ("approved", "used"),
    "embedding.load.{name}": LEGS,
}
ELSEWHERE = {"worker.load", "embedding.embed", *(f"embedding.load.{name}" for name in LEGS)}
"""Of the engine's workers: `test_frozen.py`, `test_embeddings.py`."""


@pytest.fixture(autouse=True)
def _cheap_scrypt() -> None:
    """Not here: the vault is opened by daemons too, which know nothing of a test's cheaper key."""


def test_every_failpoint_of_the_program_is_tried() -> None:
    tried = {name for name, _, _ in EDGES} | ELSEWHERE
    for name in in_the_program():
        field = re.search(r"\{\w+\}", name)
        if field is None:
            assert name in tried
            continue
        for value in FAMILIES[name]:
            assert name.replace(field[0], value) in tried


@pytest.mark.parametrize(
    ("name", "scenario"), [edge[:2] for edge in LOCAL], ids=[f"{edge[0]}-{edge[1].__name__}" for edge in LOCAL]
)
def test_killed_there_nothing_is_lost_or_doubled_and_it_is_told(name: str, scenario: Scenario, tmp_path: Path) -> None:
    assert try_edge(name, scenario, (), tmp_path) == ""

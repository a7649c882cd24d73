"""What unit tests share: a vault that opens at once."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The vault's key costs a fifth of a second on purpose; only the tests of that cost pay it."""
    if "real_cost" not in request.node.name:
        monkeypatch.setattr("assistant.safety.vault._N", 2**4)

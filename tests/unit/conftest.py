"""What unit tests share: a vault that opens at once, and data files that are parsed once for all tests."""

from __future__ import annotations

import functools

import pytest

from assistant.locale import catalogue

# A daemon reads each catalogue once in its life; the hundred of them in one test process need not parse it each time.
catalogue.read = functools.cache(catalogue.read)


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The vault's key costs a fifth of a second on purpose; only the tests of that cost pay it."""
    if "real_cost" not in request.node.name:
        monkeypatch.setattr("assistant.safety.vault._N", 2**4)

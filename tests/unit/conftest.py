"""What unit tests share: a vault that opens at once, and data files that are read and compiled once for all tests."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from assistant.locale import catalogue

# A daemon reads, compiles and indexes each file once in its life; the hundred of them in one test process need not do
# it each time. Patched before the modules that take these names are imported.
catalogue.read = functools.cache(catalogue.read)

from assistant.conversation import examples, shortlist  # noqa: E402


def _once(make: Callable[..., Any], key: Callable[..., str]) -> Callable[..., Any]:
    made: dict[str, Any] = {}

    def get(*args: Any) -> Any:
        known = key(*args)
        if known not in made:
            made[known] = make(*args)
        return made[known]

    return get


_ranking = _once(shortlist.Ranking, str)
for module in (examples, shortlist):
    module.Ranking = _ranking  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The vault's key costs a fifth of a second on purpose; only the tests of that cost pay it."""
    if "real_cost" not in request.node.name:
        monkeypatch.setattr("assistant.safety.vault._N", 2**4)

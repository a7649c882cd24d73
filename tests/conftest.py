"""What tests share: a vault that opens at once, and data files that are read and indexed once for all tests."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import cached_property
from typing import Any

import pytest
from hypothesis import settings

from assistant.locale import catalogue

settings.register_profile("untimed", deadline=None, max_examples=60)  # a busy machine is slow, not wrong
settings.load_profile("untimed")

# A daemon reads, parses and indexes each file once in its life; the hundred of them in one test process need not do it
# each time. Patched before the modules that take this name are imported.
catalogue.read = functools.cache(catalogue.read)

from assistant.conversation import examples, intents, prefilter, shortlist, template  # noqa: E402


def _shared(owner: type, name: str, key: Callable[[Any], Any]) -> None:
    """Make a cached property once for all owners with the same key."""
    make, made = owner.__dict__[name].func, {}

    def get(self: Any) -> Any:
        known = key(self)
        if known not in made:
            made[known] = make(self)
        return made[known]

    shared = cached_property(get)
    shared.__set_name__(owner, name)
    setattr(owner, name, shared)


def _tools(one: Any) -> tuple[str, ...]:
    return tuple(f"{tool.name} {tool.schema.description}" for tool in one)


_shared(examples.Examples, "_all", lambda self: (self._files, _tools(self._skills.tools())))
_shared(examples.Examples, "_ranking", lambda self: (self._files, _tools(self._skills.tools())))
_shared(shortlist.Shortlist, "_index", lambda self: _tools(self._tools.values()))
_shared(template.Template, "data", lambda self: (self.whole, str(self.args)))


_PREFILTERS: dict[tuple[str, ...], prefilter.Prefilter] = {}


def _one_prefilter(self: intents.Sentences, language: str) -> prefilter.Prefilter:
    templates = self._templates[language]
    texts = tuple(one.whole for one in templates)
    if texts not in _PREFILTERS:
        _PREFILTERS[texts] = _made(self, language)
    return _PREFILTERS[texts]


_made = intents.Sentences._prefilter
intents.Sentences._prefilter = _one_prefilter  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The vault's key costs a fifth of a second on purpose; only the tests of that cost pay it."""
    if "real_cost" not in request.node.name:
        monkeypatch.setattr("assistant.safety.vault._N", 2**4)

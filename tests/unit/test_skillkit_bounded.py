"""What a manifest of somebody else may claim: nothing that makes the gate ask less."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.skillkit.external import bounded
from assistant.skillkit.manifest import API_VERSION, Manifest, ToolDeclaration


def manifest(**permissions: Any) -> Manifest:
    return Manifest.model_validate(
        {
            "name": "weather",
            "version": "1",
            "api": API_VERSION,
            "description": {"en": "x", "zh": "x"},
            "tools": {},
            "permissions": permissions,
        }
    )


@pytest.mark.parametrize(
    "claimed",
    [{"returns": "tool"}, {"trusted": ("id",)}, {"readers": ("from",)}, {"public": True}, {"revocable": True}],
)
def test_a_claim_that_would_make_the_gate_ask_less_is_not_believed(claimed: dict[str, Any]) -> None:
    declaration = ToolDeclaration(effect="outward", sensitive=("to",), **claimed)
    assert bounded(declaration, manifest()) == ToolDeclaration(effect="outward", sensitive=("to",))


def test_what_makes_it_ask_more_stays() -> None:
    declaration = ToolDeclaration(effect="write", lasting=True, picks=True, reaches=("to",))
    assert bounded(declaration, manifest()) == declaration


def test_whoever_may_speak_to_a_host_may_tell_it_anything() -> None:
    declaration = ToolDeclaration(effect="read")
    assert bounded(declaration, manifest(network=["api.example.org:443"])).egress
    assert not bounded(declaration, manifest()).egress

"""How people lean on what was said before, by language: the patterns of `phrases.yaml`. Decides nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from assistant.locale.catalogue import read
from assistant.models import Language

_FLAGS = re.VERBOSE | re.IGNORECASE


def takes_away(text: str) -> bool:
    """Whether a sentence, in any of the languages that are understood, speaks of taking something away."""
    return bool(phrases("any")["taking"].search(text))


def bids_remember(text: str) -> bool:
    """Whether a sentence, in any language, asks to keep something in mind."""
    return bool(phrases("any")["remembering"].search(text))


def invites(text: str) -> bool:
    """Whether a sentence, in any language, asks to let others know of an event."""
    return bool(phrases("any")["inviting"].search(text))


def introduces(text: str) -> bool:
    """Whether a sentence, in any language, speaks of somebody who is not known yet."""
    return bool(phrases("any")["introducing"].search(text))


@cache
def phrases(language: Language | Literal["any"]) -> Mapping[str, re.Pattern[str]]:
    """The patterns by name."""
    tree = read(Path(__file__).with_suffix(".yaml"))
    return {name: re.compile(text, _FLAGS) for name, text in tree[language].items()}


def first_group(match: re.Match[str] | None) -> str:
    """The first group that took part, without spaces around; empty where nothing matched."""
    return next((group for group in match.groups() if group), "").strip() if match else ""

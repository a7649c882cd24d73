"""Which language a turn is in, as far as the program's own sentences need to know."""

from __future__ import annotations

import re

from assistant.models import Language

_HAN = re.compile(r"[㐀-䶿一-鿿]")
_KANA = re.compile(r"[぀-ヿ]")


def detect(text: str, fallback: Language = "en") -> Language:
    """`zh` for anything with Chinese characters and no kana, `fallback` for text without letters, else `en`."""
    if _HAN.search(text) and not _KANA.search(text):
        return "zh"
    return "en" if any(character.isalpha() for character in text) else fallback


def supported(language: str | None) -> Language | None:
    """The language of the program's sentences that is meant; None for none."""
    if not language:
        return None
    return "zh" if language.lower().startswith("zh") else "en"

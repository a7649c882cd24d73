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

"""Traditional characters as simplified ones, one for one, so that places in the text stay what they were. Pure."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencc import OpenCC


def simplified(text: str) -> str:
    """`text` with its traditional characters (the data of OpenCC) made simplified: always exactly as long."""
    if text.isascii() or _is_simplified(text):
        return text
    return "".join(map(_simplified, text))


def _is_simplified(text: str) -> bool:
    try:
        text.encode("gb2312")  # the simplified characters, and most signs
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=4096)
def _simplified(character: str) -> str:
    if _is_simplified(character) or not "一" <= character <= "鿿":
        return character
    plain = _converter().convert(character)
    return plain if len(plain) == 1 else character


@cache
def _converter() -> OpenCC:
    from opencc import OpenCC  # 7 MB that only those need who write traditional characters

    return OpenCC("t2s")

"""Whether two values are one but for their form: articles, plural, measure words, script. Reads no meaning.

What this calls the same is the same; much that is the same is not found. That way round nothing is lost.
"""

from __future__ import annotations

import re

from assistant.store.index import fold
from assistant.values import simplified

_HAN = "\u3400-\u9fff"
_TOKEN = re.compile(rf"(?<!\w)[-+]?\d+(?:[.,:]\d+)*%?|[^\W_{_HAN}]+[+#]*|[{_HAN}]+")
_LIGHT = frozenset("a an the some any all really very".split())
_FRONT = re.compile(r"^(?:my|our)\s+|^(?:all )?(?:kinds|sorts|types) of\s+")
_COUNTED = re.compile(
    r"^(?:一|这|那)[个只条杯本种位名张件匹碗瓶朵支台辆](?=.)|^(?:一些|各种)(?=.)|^(?:很|非常|特别)(?=..)"
)
_PARTICLE = re.compile(r"(?<=.)[了呢吧啊呀]$")
_NO_PLURAL = ("ss", "us", "is", "os", "as")
_HISSING = ("ches", "shes", "xes", "sses", "zzes")
_PREPOSITION = frozenset("of in with for from at on to near by".split())
_TURNS = re.compile(
    r"\b(?:not|no|non|never|without|except|but|free|than|less|unless|only|if|when)\b|[不没无除非只]|\d|(?:以外|之外)"
)
"""Words that make another thing of what they stand by: "gluten-free bread" is no kind of what bread is avoided for."""


def near(value: str) -> str:
    """`value` as near duplicates are compared: equal keys mean the same thing."""
    return " ".join(_words(value)) or fold(value)


def kind_of(narrow: str, wide: str) -> bool:
    """Whether `narrow` names a kind of `wide`: the same head with more before or after it ("brazil nuts", 红酒)."""
    if _TURNS.search(fold(narrow)) or _TURNS.search(fold(wide)):
        return False
    long, short = _words(narrow), _words(wide)
    if not short or len(long) < len(short):
        return False
    if len(long) == len(short) == 1 and re.match(f"[{_HAN}]", short[0]):
        return len(short[0]) >= 2 and long[0] != short[0] and long[0].endswith(short[0])
    if len(long) == len(short):
        return False
    return long[-len(short) :] == short or (long[: len(short)] == short and long[len(short)] in _PREPOSITION)


def _words(value: str) -> list[str]:
    plain = simplified(value)
    bare = _FRONT.sub("", fold(plain).strip())
    cased = {fold(token) for token in _TOKEN.findall(plain) if token[0].isupper()}
    found = [_bare(token, token in cased) for token in _TOKEN.findall(bare)]
    heavy = [token for token in found if token not in _LIGHT]
    return heavy or found


def _bare(token: str, name: bool) -> str:
    """A word without its plural, a Chinese one without measure word and particle; names stay as they are."""
    if re.match(f"[{_HAN}]", token):
        return _PARTICLE.sub("", _COUNTED.sub("", token))
    if name or len(token) < 4 or not token.endswith("s") or token.endswith(_NO_PLURAL) or not token.isalpha():
        return token
    if token.endswith("ies") and len(token) > 4:
        return token[:-3] + "y"
    return token[:-2] if token.endswith(_HISSING) else token[:-1]

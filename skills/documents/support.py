"""Whether a line bears an answer: its numbers, its names and most of its words must stand there. Code, no model."""

from __future__ import annotations

import re

from .terms import fold, prepared, stem

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_GROUPED = re.compile(r"(?<=\d)[,  '](?=\d{3}(?!\d))")
_WORD = re.compile(r"[^\W\d_]+")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+")
_LITTLE = frozenset(
    "a an the of to in on at by for from and or is are was were be it its you your per with as that this must can may"
    " will shall".split()
)
_YES_NO = frozenset("yes no true false maybe 是 否 有 没有 可以 不可以 能 不能 不行 是的 不是".split())
_MOST = 0.7


def bare_yes_or_no(answer: str) -> bool:
    """Whether an answer says no more than yes or no: then the line itself says it better."""
    return answer.casefold().strip(" .!。！") in _YES_NO


def supports(line: str, answer: str) -> bool:
    """Whether every number and name of the answer and most of its words stand in the line."""
    if not answer.strip() or bare_yes_or_no(answer):
        return False
    here, said = normal(line), normal(answer)
    if said in here:
        return True
    if not set(_NUMBER.findall(said)) <= set(_NUMBER.findall(here)):
        return False
    stems = prepared(here).stems
    words = [word for word in _WORD.findall(answer) if not _HAN.search(word) and word.casefold() not in _LITTLE]
    names = [word for word in words if word[0].isupper() and word != answer.split()[0]]
    if any(stem(fold(name)) not in stems for name in names):
        return False
    wide = "".join(_HAN.findall(said))
    pairs = [wide[at : at + 2] for at in range(len(wide) - 1)]
    known = sum(stem(fold(word)) in stems for word in words) + sum(pair in here for pair in pairs)
    return bool(words or pairs) and known >= _MOST * (len(words) + len(pairs))


def normal(text: str) -> str:
    """Text as quotes and numbers are compared: folded, without grouping marks in numbers."""
    return _GROUPED.sub("", " ".join(fold(text).split()))

"""What was said, cut into the items of a list; and which entry some words mean. Knows no file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from .naming import names

_MARKS = re.compile(r"\s*(?:[;；、\n]|(?<!\d)[,，]|[,，](?!\d))\s*")
_AND = re.compile(
    r"\s+(?:and|&|plus|as well as|还有|以及|和|跟)\s+|\s*(?:还有|以及|外加)\s*|(?<=\w)\s*[和跟与]\s*(?=\w)",
    re.IGNORECASE,
)
_FIRST = re.compile(r"^(?:and|plus|also|some|还有|以及|再加|一些|一点儿|一点|点儿)(?:\s+|(?=[一-鿿]))", re.IGNORECASE)
_LAST = re.compile(r"^(?:and|plus|和|以及|还有)\s*", re.IGNORECASE)
_WORD = re.compile(r"[^\W_㐀-䶿一-鿿]+|[㐀-䶿一-鿿]+")
_FILLER = frozenset("the a an my some of to for about on at in and that one note notes item please with is was".split())
_FILLER_ZH = re.compile(r"那条|这条|那个|这个|关于|有关|笔记|我的|的|了")
_ENOUGH = 0.5
_KEPT = 0xF0000
"""Where characters begin that stand for words which belong together: a private plane of Unicode."""


def split_items(text: str, list_group: str) -> list[str]:
    """The items that were said in one breath: "milk, eggs and bread" → three. Never an empty one, never twice."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return chr(_KEPT + len(kept) - 1)

    text = re.sub("|".join(map(re.escape, names().together)), keep, text, flags=re.IGNORECASE)
    pieces = [piece for piece in _MARKS.split(text) if piece.strip()]
    if list_group not in names().whole:
        pieces = [part for piece in pieces for part in _AND.split(piece)]
    elif len(pieces) > 1:
        pieces[-1] = _LAST.sub("", pieces[-1])
    tidy = (_FIRST.sub("", _restored(piece, kept).strip(" \t.。!！")).strip() for piece in pieces)
    return [item for item in dict.fromkeys(tidy) if item]


def _restored(item: str, kept: Sequence[str]) -> str:
    return "".join(kept[ord(one) - _KEPT] if 0 <= ord(one) - _KEPT < len(kept) else one for one in item)


def same(one: str, other: str) -> bool:
    """Whether two items are the same, whatever their case and spaces."""
    return plain(one) == plain(other)


def plain(text: str) -> str:
    """As items are compared."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(" .。!！")


def best(words: str, entries: Sequence[tuple[str, str]]) -> list[int]:
    """Numbers of the entries that fit best, several where the words don't tell them apart.

    An entry is its text and its line as it is offered as a choice: either one said whole is it.
    """
    for form in (1, 0):
        whole = [index for index, entry in enumerate(entries) if same(entry[form], words)]
        if whole:
            return whole
    wanted = terms(words)
    if not wanted:
        return []
    shares = [len(wanted & terms(entry[0])) / len(wanted) for entry in entries]
    top = max(shares, default=0.0)
    # Less than half of the words is another note: better to ask than to remove the wrong one.
    found = [index for index, share in enumerate(shares) if share == top] if top >= _ENOUGH else []
    closest = min((len(terms(entries[index][0])) for index in found), default=0)
    return [index for index in found if len(terms(entries[index][0])) == closest]


def contains(text: str, words: str) -> bool:
    """Whether an entry holds all the words of a query, in any order, or the query as it stands."""
    if plain(words) in plain(text):
        return True
    wanted = terms(words)
    return bool(wanted) and wanted <= terms(text)


def terms(text: str) -> set[str]:
    """Words without their plural `s`; pairs of neighbouring characters in Chinese."""
    found: set[str] = set()
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        if re.match(r"[㐀-䶿一-鿿]", word):
            for run in filter(None, _FILLER_ZH.split(word)):
                found |= {run[index : index + 2] for index in range(len(run) - 1)} if len(run) > 1 else {run}
        elif word not in _FILLER:
            found.add(word if len(word) < 4 else word.removesuffix("s"))
    return found

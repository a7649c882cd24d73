"""Which reminder the user's words mean: words in English, pairs of characters in Chinese. Knows no reminders."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_\u3400-\u9fff]+|[\u3400-\u9fff]+")
_FILLER = frozenset("the a an my to of for about on at in and reminder reminders that one please".split())
_FILLER_ZH = re.compile(r"提醒|那个|这个|关于|我的|的|了|掉|去|把")


def _terms(text: str) -> set[str]:
    terms: set[str] = set()
    for word in _WORD.findall(text.casefold()):
        if re.match(r"[\u3400-\u9fff]", word):
            for run in _FILLER_ZH.split(word):
                terms |= {run[i : i + 2] for i in range(len(run) - 1)} if len(run) > 1 else set(run)
        elif word not in _FILLER:
            terms.add(word if len(word) < 4 else word.removesuffix("s"))
    return terms


def best(text: str, candidates: Sequence[tuple[str, str]]) -> list[int]:
    """Numbers of the candidates that fit best; several where the words don't tell them apart.

    A candidate is the reminder's text and its line as it is offered as a choice: either one said whole is it.
    """
    said = text.casefold().strip()
    for form in (0, 1):
        whole = [index for index, one in enumerate(candidates) if one[form].casefold().strip() == said]
        if whole:
            return whole
    terms = _terms(text)
    if not terms:
        return []
    shares = [len(terms & _terms(one[0])) / len(terms) for one in candidates]
    top = max(shares, default=0.0)
    # Less than half of the words is another reminder: better to ask than to cancel the wrong one.
    return [index for index, share in enumerate(shares) if share == top] if top >= 0.5 else []

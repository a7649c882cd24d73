"""Which facts the user's words mean. Looks at words alone; what is like it in meaning is found by the program."""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.skillkit import Fact, UserContext

_WORD = re.compile(r"[^\W_\u3400-\u9fff]+|[\u3400-\u9fff]+")
_FILLER = frozenset(
    "the a an my our your i i'm im me you is am are was were do does did don don't to of for about on at in and that"
    " one please have has had what where when who which how s t it this these fact thing everything all old new any"
    " know said told like likes live lives work works".split()
)
_FILLER_ZH = re.compile(
    r"关于|我们|我的|你的|那个|这个|的事|事情|信息|所有|一切|什么|哪里|哪儿|多少|几号|这件事|喜欢|是|我|你|的|了|在|吗|呢|对|都|住|叫"
)
_EVERYTHING = frozenset(("me", "myself", "everything", "all", "me all", "我", "我自己", "一切", "全部", "所有"))


def everything(query: str) -> bool:
    """Whether all that is known is meant."""
    return query.casefold().strip(" .?!。？！") in _EVERYTHING


def matching(query: str, known: Sequence[Fact], user: UserContext) -> list[Fact]:
    """Facts whose own words hold all that `query` names, or at least its half, the best only."""
    wanted = _terms(query)
    if not wanted:
        return []
    said = query.casefold()
    people = [one for one in user.contacts if any(name.casefold() in said for name in (one.name, *one.aliases))]
    named = _terms(" ".join(name for one in people for name in (one.name, *one.aliases)))
    scores = []
    for fact in known:
        held = _terms(f"{fact.subject} {fact.topic} {fact.value} {fact.text}")
        hit = sum(one in held or (len(one) == 1 and one in fact.value) for one in wanted) / len(wanted)
        if named & _terms(fact.subject) or named & _terms(fact.value):
            hit = max(hit, 0.5)
        scores.append(hit)
    best = max(scores, default=0.0)
    return [fact for fact, score in zip(known, scores, strict=True) if score == best] if best >= 0.5 else []


def _terms(text: str) -> set[str]:
    terms: set[str] = set()
    for word in _WORD.findall(text.casefold()):
        if re.match(r"[\u3400-\u9fff]", word):
            for run in _FILLER_ZH.split(word):
                terms |= {run[at : at + 2] for at in range(len(run) - 1)} if len(run) > 1 else set(run)
        elif word not in _FILLER:
            terms.add(word if len(word) < 4 else word.removesuffix("s"))
    return terms

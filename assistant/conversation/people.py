"""Names in a sentence become people the user knows. Knows nothing of mail or money."""

from __future__ import annotations

import re

from assistant.models import Person, UserContext
from assistant.values import match_names

_POSSESSIVE = re.compile(
    r"^(?:(?:my|our|the|to|for|from)\s+|(?:我的|我们的|我们|我|给|跟|和)\s*)|(?:'s|’s|的)$", re.IGNORECASE
)


def plain(word: str) -> str:
    """`my sister's` → `sister`, 我的姐姐 → 姐姐."""
    before = ""
    word = word.strip()
    while word and word != before:
        before, word = word, _POSSESSIVE.sub("", word).strip()
    return word or before


def known(word: str, user: UserContext) -> list[Person]:
    """The contacts that `word` may mean: by a whole name, alias or address, else a part, its pinyin, or a near miss."""
    forms = [form for form in dict.fromkeys((word.strip(), plain(word))) if form]
    for form in forms:
        exact = [person for person in user.contacts if person.called(form) or _same_address(person, form)]
        if exact:
            return exact
    if not forms or "@" in word:
        return []
    people = [(person.name, *person.aliases) for person in user.contacts]
    return [user.contacts[index] for index in match_names(forms[-1], people)]


def account(word: str, user: UserContext) -> str:
    """The user's own account of that name or kind ("my current account", 储蓄账户); else the words themselves."""
    said = word.casefold()
    for one in user.accounts:
        if one.name.casefold() in said or any(form in said for form in _ACCOUNT_WORDS.get(one.name.casefold(), ())):
            return one.name
    return word


_ACCOUNT_WORDS = {
    "checking": (
        "current",
        "chequing",
        "giro",
        "everyday",
        "活期",
        "支票",
        "日常",
        "courant",
        "corriente",
        "普通預金",
        "普通预金",
    ),
    "savings": ("saving", "储蓄", "存款", "定期", "spar", "épargne", "ahorro", "貯蓄", "預金"),
}
"""How people call the usual kinds of account beside the name that the bank gives."""


def account_names(user: UserContext) -> list[str]:
    """All words that mean one of the user's accounts, for templates."""
    names = []
    for one in user.accounts:
        words = _ACCOUNT_WORDS.get(one.name.casefold(), ())
        names += [one.name, *(word for word in words if len(word) > 1)]
    return names


def _same_address(person: Person, word: str) -> bool:
    return bool(person.email) and word.casefold() == str(person.email).casefold()

"""Names in a sentence become people the user knows. Knows nothing of mail or money."""

from __future__ import annotations

import re

from assistant.models import Person, UserContext
from assistant.values import match_names

_POSSESSIVE = re.compile(
    r"^(?:(?:my|our|the|to|for|from)\s+|(?:我的|我们的|我们|我|给|跟|和|名叫|名字叫|名字是|叫做|叫)\s*)|(?:'s|’s|的)$",
    re.IGNORECASE,
)


_DOMAIN = re.compile(r"(?<![@a-z0-9.])([a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,})(?![a-z0-9-])", re.IGNORECASE)


def plain(word: str) -> str:
    """`my sister's` → `sister`, 我的姐姐 → 姐姐."""
    before = ""
    word = word.strip()
    while word and word != before:
        before, word = word, _POSSESSIVE.sub("", word).strip()
    return word or before


def known(word: str, user: UserContext, *, spelled: bool = False) -> list[Person]:
    """The contacts that `word` may mean: by a whole name, alias or address, else a part, its pinyin, or a near miss.

    Not by what only sounds alike, if it is `spelled`: who is written down is called as was said.
    """
    forms = [form for form in dict.fromkeys((word.strip(), plain(word))) if form]
    for form in forms:
        exact = [person for person in user.contacts if person.called(form) or _same_address(person, form)]
        if exact:
            return exact
    if not forms or "@" in word:
        return []
    if domain := _DOMAIN.search(word):  # "my contact with the example.org address"
        return [one for one in user.contacts if str(one.email or "").casefold().endswith(f"@{domain[1].casefold()}")]
    if kin := _kin(forms[-1], user):
        return kin
    people = [(person.name, *person.aliases) for person in user.contacts]
    found = match_names(forms[-1], people, spelled=spelled)
    return [user.contacts[index] for index in found] if found else _twice_named(forms[-1], user)


_KIN = (
    frozenset("mum mom mother mama mummy mommy 妈 妈妈 老妈 妈咪 母亲 娘".split()),
    frozenset("dad daddy father papa 爸 爸爸 老爸 父亲 爹".split()),
    frozenset("sister sis 姐 姐姐 老姐 妹 妹妹 老妹".split()),
    frozenset("brother bro 哥 哥哥 老哥 弟 弟弟 老弟".split()),
    frozenset("wife 老婆 太太 妻子 媳妇 爱人".split()),
    frozenset("husband 老公 丈夫 先生 爱人".split()),
    frozenset("boss manager 老板 领导 上司 头儿".split()),
    frozenset("landlord landlady 房东".split()),
)
"""Words for one relation: whoever is called by one of them is meant by the others too."""


def _kin(said: str, user: UserContext) -> list[Person]:
    word = said.casefold()
    for group in _KIN:
        if word in group and (meant := [one for one in user.contacts if any(one.called(name) for name in group)]):
            return meant
    return []


def _twice_named(said: str, user: UserContext) -> list[Person]:
    """Who is called by two of their names at once: "my landlord Hausverwaltung Krause"."""
    for person in user.contacts:
        rest = said.casefold()
        for name in sorted((person.name, *person.aliases), key=len, reverse=True):
            rest = rest.replace(name.casefold(), " ")
        if not rest.strip(" ,，、()（）"):
            return [person]
    return []


def parts_of(name: str) -> list[str]:
    """The first, middle and last names that a person may be called by alone."""
    words = name.split()
    parts = [part for part in words if part.isascii() and len(part) > 2 and not part.endswith(".")]
    titled = [f"{words[0]} {parts[-1]}"] if len(parts) > 1 and words[0].endswith(".") else []
    return [*titled, *parts] if len(parts) < len(words) or len(parts) > 1 else []


def named_in(text: str, user: UserContext) -> list[Person]:
    """The contacts whose name, a part of it, or alias stands in `text`, in the order of their places."""
    return [person for _, _, person in mentions(text, user)]


def mentions(text: str, user: UserContext) -> list[tuple[int, str, Person]]:
    """Where `text` names contacts, in which words, and whom."""
    found: dict[int, tuple[int, str, Person]] = {}
    for person in user.contacts:
        for name in (person.name, *person.aliases, *parts_of(person.name)):
            border = r"(?<!\w){}(?!\w)" if name.isascii() else "{}"
            if len(name) > 1 and (match := re.search(border.format(re.escape(name)), text, re.IGNORECASE)):
                found.setdefault(match.start(), (match.start(), match.group(), person))
                break
    return [found[place] for place in sorted(found)]


def encloses_a_name(said: str, user: UserContext) -> bool:
    """Whether the words hold a contact's whole name and more, so that they are no name: "Krause for the rent"."""
    folded = f" {said.casefold()} "
    return not known(said, user) and any(
        (f" {name.casefold()} " in folded) if name.isascii() else (name.casefold() in folded)
        for person in user.contacts
        for name in (person.name, *person.aliases)
        if len(name) > 1
    )


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

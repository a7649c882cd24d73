"""Whom the user's words mean, among all contacts there are. Reads no file and writes no sentence."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assistant.skillkit import Card, Person

_POSSESSIVE = re.compile(r"^(?:my|our|the|我的|我们的|我)\s*|(?:'s|’s|s'|s’|的)$", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_HAN = re.compile(r"[㐀-䶿一-鿿]")
_LEAST_DIGITS = 5


@dataclass
class Known:
    """One contact with every address that the profile and the cards give."""

    name: str
    aliases: tuple[str, ...]
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    ibans: tuple[str, ...]
    from_card: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All that the contact is called."""
        return (self.name, *self.aliases)

    def shares(self, card: Card) -> bool:
        """Whether one of the card's addresses is this contact's too."""
        return bool({*self.emails, *self.phones, *self.ibans} & {*card.emails, *card.phones, *card.ibans})


def everybody(people: Iterable[Person], cards: Iterable[Card]) -> list[Known]:
    """The profile's contacts and the cards, those of one person joined."""
    known = [
        Known(one.name, one.aliases, _one(one.email), _one(one.phone), _one(one.iban)) for one in dict.fromkeys(people)
    ]
    for card in cards:
        same = [one for one in known if one.name.casefold() == card.name.casefold()]
        joined = next((one for one in same if one.shares(card)), None)
        if joined is None:
            joined = next((one for one in same if not one.from_card), None)
        if joined is None:
            known.append(Known(card.name, card.aliases, card.emails, card.phones, card.ibans, from_card=True))
            continue
        joined.aliases = _both(joined.aliases, card.aliases)
        joined.emails = _both(joined.emails, card.emails)
        joined.phones = _both(joined.phones, card.phones)
        joined.ibans = _both(joined.ibans, card.ibans)
        joined.from_card = True
    return known


def fitting(words: str, known: Sequence[Known]) -> list[Known]:
    """Those that `words` mean: a whole name first, then a whole address, then parts of either."""
    forms = dict.fromkeys(form for form in (_folded(words), _folded(plain(words))) if form)
    for form in forms:
        for fits in (_whole, _address, _part):
            if found := [one for one in known if fits(form, one)]:
                return found
    return []


def close(words: str, known: Sequence[Known]) -> list[str]:
    """Names that are written much like the words: what may have been meant."""
    names = {_folded(name): one.name for one in known for name in one.names}
    alike = difflib.get_close_matches(_folded(plain(words)), names, n=3, cutoff=0.6)
    return list(dict.fromkeys(names[one] for one in alike))


def plain(words: str) -> str:
    """`my sister's` → `sister`, 我姐姐的 → 姐姐."""
    before = ""
    words = words.strip()
    while words and words != before:
        before, words = words, _POSSESSIVE.sub("", words).strip()
    return words or before


def _whole(form: str, one: Known) -> bool:
    return form in {_folded(name) for name in one.names}


def _address(form: str, one: Known) -> bool:
    bare = re.sub(r"\s", "", form)
    if bare in {re.sub(r"\s", "", address).casefold() for address in (*one.emails, *one.ibans)}:
        return True
    digits = _digits(form)
    return len(digits) >= _LEAST_DIGITS and any(_digits(phone).endswith(digits.lstrip("0")) for phone in one.phones)


def _part(form: str, one: Known) -> bool:
    if any(form in email.casefold() for email in one.emails if len(form) > 2 and "." in form + "."):
        return True
    if _HAN.search(form):
        return any(form in _folded(name) for name in one.names)
    wanted = _WORD.findall(form)
    return bool(wanted) and any(_begin(wanted, _WORD.findall(_folded(name))) for name in one.names)


def _begin(wanted: Sequence[str], words: Sequence[str]) -> bool:
    """Whether every wanted word begins one of the name's (a single letter must be the word)."""
    return all(any(word == one or (len(one) > 1 and word.startswith(one)) for word in words) for one in wanted)


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", " ".join(text.split()).casefold())
    return unicodedata.normalize("NFC", "".join(one for one in decomposed if not unicodedata.combining(one)))


def _digits(text: str) -> str:
    return "".join(one for one in text if one.isdigit()) if not re.search(r"[^\W\d_]", text) else ""


def _one(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()


def _both(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))

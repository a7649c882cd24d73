"""Where each value of a call comes from, and who may read it: found by comparing, never told by a skill or a model.

Values are compared by kind (RFC 5321 addresses, ISO 13616 accounts, amounts, hosts); nothing counts as the user's
because it is a part of something the user said. What can't be traced to words, profile, contacts or past payees is
untrusted.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assistant.models import Label, Observation, Origin, Person, UserContext
from assistant.store.index import segment
from assistant.values.exact import Exact, account, address, amount, exact, fold, host, url

_MODEL = Origin(label=Label.UNTRUSTED, source="model", readers=())
_USER = Origin(label=Label.USER)
_PROFILE = Origin(label=Label.PROFILE, source="profile", readers=())
_ID = ("id", "ids")
MONEY, TIMES = "money", ("date", "datetime", "duration")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?\S{0,6})?")
_WORD = 4
_COMMON = frozenset(
    "about also been from have here just like more much only other over some than that their them then there they this"
    " user very want wants well were what when where which will with would your 用户".split()
)
"""Words of four letters or more that tell nothing of anybody."""
_SHORT = 12
"""A shorter text of digits and letters may stand anywhere by accident."""


def join(origins: Iterable[Origin]) -> Origin:
    """The origin of something made of several parts: the worst label, all its sources, only those who may read all."""
    parts = list(origins)
    if not parts:
        return _USER
    worst = max((part.label for part in parts), key=lambda label: label.rank)
    sources = dict.fromkeys(part.source for part in parts if part.label is worst and part.source)
    closed = [set(part.readers) for part in parts if part.readers is not None]
    readers = tuple(sorted(set.intersection(*closed))) if closed else None
    return Origin(label=worst, source="; ".join(sources), readers=readers)


@dataclass(frozen=True)
class _Seen:
    """One thing that was read, ready to be compared with."""

    origin: Origin
    trusted: frozenset[str]
    """Values of fields that are our own structure."""
    all: Exact


@dataclass
class Evidence:
    """All that values of one turn may come from: the user's words, what is known of the user, what was read so far."""

    said: str
    user: UserContext
    locale: str = "en"
    payees: Collection[str] = ()
    """Accounts and names that were paid before."""
    shown: Collection[str] = ()
    """What earlier turns showed, where code has picked from it by the user's words ("the second one")."""
    told: Sequence[str] = ()
    """What of the profile the model had before it: the user's own, and nobody else's to read."""
    seen: list[_Seen] = field(default_factory=list)
    _said: Exact = field(init=False)
    _told: _Seen = field(init=False)
    _texts: dict[str, Exact] = field(default_factory=dict)
    """What stands in the texts of this turn's calls, read once."""

    def __post_init__(self) -> None:
        self._said = exact(self.said, spoken=self.locale)
        self._told = _Seen(_PROFILE, frozenset(), exact("\n".join(self.told)))

    def read(self, observation: Observation) -> None:
        """Something was read: from now on values may come from it."""
        texts = [str(value) for value in _leaves(observation.data)]
        ours = observation.origin.label is not Label.UNTRUSTED
        trusted = frozenset(
            str(value) for name, value in _fields(observation.data) if ours or name in observation.trusted
        )
        self.seen.append(_Seen(observation.origin, trusted, exact("\n".join([observation.text, *texts]))))

    @property
    def tainted(self) -> bool:
        """Whether anything untrusted was read."""
        return any(one.origin.label is Label.UNTRUSTED for one in self.seen)

    @property
    def before(self) -> Evidence:
        """What there was before anything was read: for what was decided then."""
        bare = copy.copy(self)  # what was said is not read anew
        bare.seen = []
        return bare

    def trace(self, name: str, value: Any, kind: str) -> Origin:
        """The origin of argument `name`, of the schema's type `kind`."""
        if isinstance(value, list):
            return join(self.trace(name, one, kind) for one in value)
        if isinstance(value, Mapping):
            return join(self.trace(name, one, kind) for one in value.values())
        if isinstance(value, bool) or value is None:
            return _USER
        if kind == MONEY or isinstance(value, int | float):
            return self._amount(value)
        return self._text(name, str(value), kind)

    def said_whole(self, value: Any) -> bool:
        """Whether the user said the value, as it is."""
        every = value if isinstance(value, list) else [value]
        return all(self._said.says(str(one)) or amount(one) in self._said.amounts for one in every)

    def decided(self, name: str, value: Any, kind: str, *, matters: bool) -> Origin:
        """The origin of what was decided from the user's words, before anything was read.

        LIS for Lisbon, a fact in other words: it is the user's, unless it decides who is reached or how much is paid,
        or holds an account, an address or a link that the user did not say. What has words of the profile in it that
        were not said now is for the user alone to read.
        """
        origin = self.trace(name, value, kind)
        strict = matters or kind == MONEY or name.rpartition("_")[2] in _ID
        if origin.label is not Label.UNTRUSTED or strict or self.planted([str(value)]):
            return origin
        return _PROFILE if self._draws(str(value)) else _USER

    def _draws(self, text: str) -> bool:
        """Whether words of the profile stand in it that the user did not say now."""
        own = _words(text) - _words(self.said)
        return bool(own and any(own & _words(one) for one in self.told))

    def holds(self, value: Any, kind: str) -> bool:
        """Whether one thing that was read holds the value, each of its kind: what a model copied may be made up."""
        if isinstance(value, list):
            return all(self.holds(one, kind) for one in value)
        if kind == MONEY or isinstance(value, int | float):
            return any(amount(value) in one.all.amounts for one in self.seen)
        whole = str(value).strip()
        if number := account(whole):
            return any(number in one.all.accounts for one in self.seen)
        if "@" in whole and " " not in whole:
            return any(address(whole) in one.all.addresses for one in self.seen)
        if " " not in whole and self._exact(whole).urls:
            return any(url(whole) in one.all.urls for one in self.seen)
        return any(one.all.says(whole) for one in self.seen)

    def hosts(self, text: str) -> frozenset[str]:
        """Web addresses in `text` that the user did not name: whoever opens one tells its host something."""
        return self._exact(text).urls - self._said.urls - self._said.hosts

    def planted(self, texts: Iterable[str]) -> frozenset[str]:
        """Accounts, addresses and links in what is to be written down that are neither the user's nor known."""
        found = self._exact("\n".join(texts))
        sinks = found.accounts | found.addresses
        unknown = frozenset(one for one in sinks if self._text("", one, "str").label is Label.UNTRUSTED)
        return unknown | (found.urls - self._said.urls - self._said.hosts)

    def _exact(self, text: str) -> Exact:
        if text not in self._texts:
            self._texts[text] = exact(text)
        return self._texts[text]

    def _amount(self, value: Any) -> Origin:
        read = amount(value)
        if read is not None and read in self._said.amounts:
            return _USER
        return self._elsewhere(lambda one: read in one.all.amounts)

    def _text(self, name: str, text: str, kind: str) -> Origin:
        whole = text.strip()
        if whole in self.shown:
            return Origin(label=Label.TOOL, source="shown before")
        if found := self._person(whole):
            return found
        if number := account(whole):
            if number in self._said.accounts:
                return _USER
            if number in self.payees:
                return Origin(label=Label.CONTACT, source="paid before")
            return self._elsewhere(lambda one: number in one.all.accounts)
        if "@" in whole and " " not in whole:
            there = address(whole)
            return _USER if there in self._said.addresses else self._elsewhere(lambda one: there in one.all.addresses)
        if name.rpartition("_")[2] in _ID:
            return self._id(whole)
        if kind in TIMES or _MOMENT.fullmatch(whole):  # it reaches nobody and tells nothing
            return Origin(label=Label.UNTRUSTED, source=self._elsewhere(_never).source) if self.tainted else _USER
        if kind == "url" or (" " not in whole and self._exact(whole).urls):
            there = url(whole)
            known = there in self._said.urls or (there == host(whole) and there in self._said.hosts)
            return _USER if known else self._elsewhere(lambda one: there in one.all.urls)
        if whole in self.payees:
            return Origin(label=Label.CONTACT, source="paid before")
        return self._words(whole)

    def _words(self, text: str) -> Origin:
        """Free words: the user's if they stand in what was said, whole and with nothing exact of others in them."""
        if self._said.says(text):
            return _USER
        for one in self.seen:
            if text in one.trusted:
                return Origin(label=Label.TOOL, source=one.origin.source, readers=one.origin.readers)
        return self._elsewhere(lambda one: one.all.says(text))

    def _id(self, text: str) -> Origin:
        """An id is ours where a read gave it as one; that "13" stands somewhere in a sentence means nothing."""
        for one in self.seen:
            if text in one.trusted:
                return Origin(label=Label.TOOL, source=one.origin.source)
        long = len(text) > _SHORT and not text.isdigit()
        return _USER if long and self._said.says(text) else self._elsewhere(lambda one: one.all.says(text))

    def _person(self, text: str) -> Origin | None:
        user = self.user
        own = {user.name, user.home, user.home_airport} - {""}
        if text in own or address(text) in map(address, user.addresses):
            return Origin(label=Label.PROFILE)
        person = _book(user).find(text)
        return Origin(label=Label.CONTACT, source=person.name) if person else None

    def _elsewhere(self, holds: Callable[[_Seen], bool]) -> Origin:
        """What was read that holds it; else it may be made of all that was read, or be made up."""
        found = [one.origin for one in self.seen if holds(one)]
        if found:
            return join(Origin(label=Label.UNTRUSTED, source=one.source, readers=one.readers) for one in found)
        if not self.seen:
            return _PROFILE if holds(self._told) else _MODEL
        every = join(one.origin for one in self.seen)
        return Origin(label=Label.UNTRUSTED, source=every.source, readers=every.readers)


def _words(text: str) -> set[str]:
    """The words of a text that say something, and pairs of Chinese characters."""
    words, _ = segment(text)
    return {word for word in words if not word.isascii() or len(word) >= _WORD or word.isdigit()} - _COMMON


def _never(seen: _Seen) -> bool:
    return False


def recipients(args: Mapping[str, Any], names: Sequence[str], user: UserContext) -> frozenset[str]:
    """Whom the arguments `names` reach: addresses where they are known, else the names as they are."""
    found = set()
    book = _book(user)
    for name in names:
        given = args.get(name)
        for one in given if isinstance(given, list) else [given] if given else []:
            text = str(one).strip()
            person = book.find(text)
            found.add(address(person.email if person and person.email else text))
    return frozenset(found.difference(map(address, user.addresses)))


class _Book:
    """The contacts by every name, address and account that they have."""

    def __init__(self, people: Sequence[Person]) -> None:
        self.people = people
        self._by: dict[str, Person] = {}
        for person in people:
            keys = [fold(name) for name in (person.name, *person.aliases)]
            keys += [address(person.email)] if person.email else []
            keys += [account(person.iban) or ""] if person.iban else []
            for key in keys:
                if key:  # a name of marks alone is nobody's
                    self._by.setdefault(key, person)

    def find(self, text: str) -> Person | None:
        """Whom the text names, whole and nobody else."""
        if not text:
            return None
        return self._by.get(address(text)) if "@" in text else self._by.get(account(text) or fold(text))


_books: list[_Book] = []


def _book(user: UserContext) -> _Book:
    """The book of the user's contacts; made anew when these are others."""
    if not _books or _books[0].people is not user.contacts:
        _books[:] = [_Book(user.contacts)]
    return _books[0]


def _leaves(data: Any) -> Iterator[Any]:
    if isinstance(data, Mapping):
        for value in data.values():
            yield from _leaves(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _leaves(value)
    elif data is not None:
        yield data


def _fields(data: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(data, Mapping):
        for name, value in data.items():
            if isinstance(value, Mapping | list):
                yield from _fields(value)
            if isinstance(value, list):
                yield from ((name, one) for one in value if not isinstance(one, Mapping | list))
            elif not isinstance(value, Mapping):
                yield name, value
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _fields(value)

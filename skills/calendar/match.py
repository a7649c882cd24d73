"""Whether an event is the one that a few words mean, in English and Chinese. Knows no times."""

from __future__ import annotations

import re

from assistant.skillkit import Context, Person

from .events import Event

_WORD = re.compile(r"[^\W_\u3400-\u9fff]+|[\u3400-\u9fff]+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_FILLER = frozenset(
    "a an the my our your his her of for with at in on to about called named next upcoming s"
    " appointment appointments meeting meetings event events entry entries session call date plan plans schedule"
    " calendar thing one".split()
)
_FILLER_ZH = re.compile(
    r"我的|我们的|我|那个|这个|那场|这场|那次|这次|下一个|下一次|下次|的|和|跟|与|关于|日程|行程|活动|会议|开会|会面|见面|预约|安排|约会|约|会"
)


def fits(ctx: Context, query: str, event: Event) -> bool:
    """Whether all that the words say is found in the event's title, place, notes or people.

    Words for events as such ("meeting", 会议) count only where nothing else is said.
    """
    about = _fold(" ".join((event.title, event.location, event.description, *_people(ctx, event))))
    said = _fold(query).strip()
    if _HAN.search(said) and said in about:
        return True
    terms = _terms(said)
    return bool(terms) and all(_in(term, about) for term in terms)


def generic(query: str) -> bool:
    """Whether it only says that it is an event: "meeting", 会议."""
    return not any(
        any(_FILLER_ZH.split(word)) if _HAN.match(word) else word not in _FILLER for word in _WORD.findall(_fold(query))
    )


def _terms(said: str) -> list[str]:
    every = _WORD.findall(said)
    telling: list[str] = []
    for word in every:
        if _HAN.match(word):
            telling += [part for part in _FILLER_ZH.split(word) if part]
        elif word not in _FILLER:
            telling.append(word)
    return telling or every


def _in(term: str, about: str) -> bool:
    if _HAN.match(term):
        if len(term) < 3:
            return term in about
        pairs = [term[at : at + 2] for at in range(len(term) - 1)]
        return sum(pair in about for pair in pairs) >= 0.6 * len(pairs)
    stem = term.removesuffix("s") if len(term) > 3 else term
    # From the beginning of a word: "art" is no "party", "dentist" is found in "dentist's".
    ending = "" if len(stem) > 2 else r"(?![a-z])"
    return re.search(rf"(?<![^\W_\u3400-\u9fff]){re.escape(stem)}{ending}", about) is not None


def _people(ctx: Context, event: Event) -> list[str]:
    """Everybody in it by all the names the user has for them."""
    names: list[str] = []
    for one in event.people:
        names += [one.name, one.address]
    title = _fold(event.title)
    for person in ctx.user.contacts:
        if _takes_part(person, event) or any(_fold(name) in title for name in (person.name, *person.aliases)):
            names += [person.name, *person.aliases]
    return names


def _takes_part(person: Person, event: Event) -> bool:
    return bool(person.email) and person.email.lower() in {one.address for one in event.people}  # type: ignore[union-attr]


def _fold(text: str) -> str:
    return text.casefold().replace("’", "'")

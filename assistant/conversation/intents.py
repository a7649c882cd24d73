"""Sentence templates (hassil), both languages: what they match is decided in milliseconds and without a model."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Any

from hassil import Intents, RecognizeResult, SlotList, TextSlotList, recognize_all
from hassil.intents import Intent
from hassil.util import PUNCTUATION_STR

from assistant.conversation.arguments import PEOPLE, several
from assistant.conversation.people import account_names, encloses_a_name, named_in, parts_of
from assistant.conversation.prefilter import Prefilter, keys_of
from assistant.conversation.spans import Masked, token
from assistant.conversation.template import Rules, Template
from assistant.kept import Kept
from assistant.locale import LANGUAGES
from assistant.locale.catalogue import read
from assistant.models import Language, UserContext
from assistant.skillkit.templates import RULES, SLOT, SPAN_SLOTS
from assistant.values import simplified

_POLITE = {
    "en": re.compile(
        r"^(?:(?:hey|hi(?: there)?|hello|(?:good )?(?:morning|afternoon|evening)|ok|okay|so|well|right|now|oh|oops"
        r"|and|also"
        r"|by the way|btw|let me see|let's see|one more thing|quick question|hang on|hold on|wait|um+|uh+|please"
        r"|(?:any chance (?:that )?)?(?:can|could|would|will) you(?: please)?|any chance you (?:can|could)"
        r"|(?:could|can|shall) we|(?:i'd|i would) like to|you (?:can|could)"
        r"|i(?:'d| would) like you to|i want you to|i need you to|kindly)[\s,]+)+"
        r"|[\s,]+(?:please|thanks|thank you|cheers|for me|by the way|btw|will you|would you|if you can|then)$",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        r"^(?:(?:你好|早上好|早|喂|哎|哦|噢|那么|那(?!个)|对了|还有|顺便|请问|请你|请|麻烦你|麻烦|帮我|帮忙|给我|我想知道|我想|我要|我需要|能(?=[帮给把])|能不能|能否|可不可以|可以|你能|那个|嗯+|呃+|我想让你|我要你)[,，、\s]*)+"
        r"|[,，\s]*(?:好吗|好不好|可以吗|行吗|谢谢你|谢谢|吧|吗|呢|呀|啊|嘛|哈|啦|来着|一下)$"
    ),
}
_FILLERS = re.compile(
    r"(?<![\w'])(?:um+|uh+|erm?|hmm+|you know(?=\s*[,，]|\s*$)|like i said|i guess)(?![\w'@.])[\s,，]*"
    r"|(?:嗯+|呃+|那个那个|就是说|怎么说呢)[\s,，、]*|(?<![一-鿿])额+[\s,，、…]+",
    re.IGNORECASE,
)
_GAP = frozenset(PUNCTUATION_STR)
_LETTER = re.compile("[A-Za-zÀ-ɏ]")
_BORDER = re.compile(r"(?<=[一-鿿])\s+(?=[!-~\ue000-\ue03f])|(?<=[!-~\ue000-\ue03f])\s+(?=[一-鿿])")
"""Spaces that people put between Chinese and Latin script or numbers; templates have none there."""
_TIMES = ("when", "once", "every", "period", "duration")
_WHOLE = ("body", "note")
"""Wildcards whose words are passed on as they are: a time in a message's text is no time of the sending."""
_WRITTEN = re.compile(r"\s*for me\b|吗|呢|一下|谢谢", re.IGNORECASE)
"""Politeness that belongs to a message where it stands at its end."""
_TIMELESS = (*_WHOLE, "subject")
_LEFT_OVER = re.compile(r"\s+(?:on|at|in|by|for|from|since)$", re.IGNORECASE)
_QUOTES = {("'", "'"), ('"', '"'), ("“", "”"), ("‘", "’"), ("「", "」"), ("『", "』"), ("《", "》")}
_END = " \t\n.。!！?？…~～,，;；:："
_FRONT = " \t\n。!！?？…～,，;；"
"""What a sentence does not begin with; a file's name may begin with a dot or ~."""


_TEXTS = frozenset({"body", "note", "text", "fact", "question", "do", "query", "reference", "interests"})
_PLACES = frozenset({"place", "origin", "destination"})
_NO_TIMES = frozenset({"reference", "category", "counterparty", "list", "title", "query", "to", "name", "sender"})
"""What is no time or amount alone."""
_YIELD_S = 0.0005
_AHEAD = 1
"""Letters that a skill which can act is ahead of one that is only planned."""
_NO_PLACE = re.compile(r"[找订住查]个?$|多[长久少]|\b(?:for|with|by|under)\b", re.IGNORECASE)
_PREPOSITION = re.compile(r"(?:for|on|at|in|to|with|from|of|by|the|a|an|and)", re.IGNORECASE)
_WIDE = re.compile(r"[,，;；]\s*\S")


@dataclass(frozen=True)
class Match:
    """What a template found: a tool, its fixed arguments, its slots' words, and the numbers of its spans by slot."""

    tool: str
    fixed: Mapping[str, Any]
    slots: Mapping[str, str]
    times: Mapping[str, int]
    literal: int
    """Characters matched by the template's own words: more is surer."""
    wide: bool = False
    """Whether a short value (a place, a name) goes over a comma."""


class Sentences:
    """All templates of the loaded skills."""

    def __init__(
        self, files: Iterable[Path], planned: Callable[[str], bool] = lambda skill: False, kept: Kept | None = None
    ) -> None:
        """Templates of a `planned` skill, which can't act yet, give way to equally sure ones of any other."""
        self._planned = planned
        self._kept = kept or Kept()
        self._templates: dict[str, list[Template]] = {language: [] for language in LANGUAGES}
        self._prefilters: dict[str, Prefilter] = {}
        files = list(files)
        texts = [file.read_text(encoding="utf-8") for file in files]
        for tree in self._kept.of("sentences", texts, lambda: [read(file) for file in files]):
            for language, tools in tree.items():
                rules = Rules(tools.get(RULES, {}))
                self._templates[language] += [
                    Template(tool, sentence, entry.get("args", {}), rules)
                    for tool, entries in tools.items()
                    if tool != RULES
                    for entry in entries
                    for sentence in entry["sentences"]
                ]

    @cached_property
    def examples(self) -> dict[str, list[str]]:
        """By tool: its templates' texts, for the shortlist."""
        texts: dict[tuple[str, Rules], list[str]] = {}
        for template in chain.from_iterable(self._templates.values()):
            texts.setdefault((template.tool, template.rules), []).append(template.sentence)
        found: dict[str, list[str]] = {}
        for (tool, rules), own in texts.items():
            found.setdefault(tool, []).extend(rules.told_by(own))
        return found

    @cached_property
    def _times(self) -> dict[str, set[str]]:
        """By tool: the kinds of times that its templates have a place for."""
        found: dict[str, set[str]] = {}
        for tool, sentences in self.examples.items():
            names = (name for sentence in sentences for name, _ in SLOT.findall(sentence))
            found[tool] = set(_TIMES).intersection(names)
        return found

    def match(self, masked: Masked, language: Language, user: UserContext | None = None) -> Match | None:
        """The surest match of the whole sentence, or None. Contacts and accounts are the user's."""
        live = _live_lists(user or UserContext())
        found: list[Match] = []  # with and without numbers masked: "Rome for two people" is no place
        for text in dict.fromkeys((masked.text, masked.counted)):
            found += self._matches(text, masked, language, live)
        sure = [match for match in found if not _overreaches(match, masked, user or UserContext())]
        return max(sure, key=self._sureness, default=None)

    def _sureness(self, match: Match) -> tuple[object, ...]:
        ahead = not self._planned(match.tool.partition(".")[0])
        return match.literal + _AHEAD * ahead, len(match.times), -len(match.slots)

    def _matches(self, said: str, masked: Masked, language: Language, live: Mapping[str, SlotList]) -> list[Match]:
        """All matches of the first form of `said` that has any: without politeness and borders, or as it stands."""
        text = simplified(said)
        bare = text.strip(_END)
        stripped = _stripped(_FILLERS.sub("", bare), language)
        for candidate in dict.fromkeys((_BORDER.sub("", stripped), stripped, bare)):
            results = self._recognize(candidate, masked, language, live)
            if found := [
                self._read(result, masked, said, language) for result in results if not _torn(result, candidate)
            ]:
                return found
        return []

    def warm(self) -> None:
        """Parse all templates and index them, which is else done when a sentence first comes near them."""
        for language, templates in self._templates.items():
            prefilter = self._prefilter(language)
            for rules in {template.rules for template in templates}:
                rules.warm()
            for number, template in enumerate(templates):
                prefilter.read(number)
                template.warm()
                time.sleep(_YIELD_S)  # the turns of a person go first

    def _prefilter(self, language: str) -> Prefilter:
        if language not in self._prefilters:
            templates = self._templates[language]
            rules = dict.fromkeys(template.rules for template in templates)
            texts = chain((template.sentence for template in templates), *(rule.texts() for rule in rules))
            keys = keys_of(f"templates.{language}", templates, texts, self._kept)
            self._prefilters[language] = Prefilter(templates, keys)
        return self._prefilters[language]

    def _recognize(
        self, text: str, masked: Masked, language: Language, live: Mapping[str, SlotList]
    ) -> Iterable[RecognizeResult]:
        templates = self._templates[language]
        intents: dict[str, Intent] = {}
        wildcards: dict[str, SlotList] = {}
        for number in self._prefilter(language).candidates(text):
            template = templates[number]
            intents.setdefault(template.tool, Intent(template.tool)).data.append(template.data)
            wildcards |= template.wildcards
        return recognize_all(text, Intents(language, intents), slot_lists={**wildcards, **_lists(masked), **live})

    def _read(self, result: RecognizeResult, masked: Masked, text: str, language: Language) -> Match:
        slots: dict[str, str] = {}
        times: dict[str, int] = {}
        fixed: dict[str, Any] = dict((result.intent_metadata or {}).get("args", {}))
        known = 0
        for name, entity in result.entities.items():
            if isinstance(entity.value, int):
                times[name] = entity.value
            else:
                slots[name] = str(entity.text or entity.value).rstrip(_END).lstrip(_FRONT)
                known += 0 if entity.is_wildcard else len(slots[name])
        wild = sum(len(words) for words in slots.values()) - known + len(times)
        times |= self._stray_times(result.intent.name, slots, times, masked)
        masked_words = {name: _as_said(words, text, name, language) for name, words in slots.items()}
        said = {name: masked.restore(words) for name, words in masked_words.items()}
        return Match(
            tool=result.intent.name,
            fixed={name: _completed(value, said) for name, value in fixed.items()},
            slots=said,
            times=times,
            literal=len(text) - wild,
            wide=any(_WIDE.search(words) for name, words in masked_words.items() if name not in _TEXTS),
        )

    def _stray_times(
        self, tool: str, slots: dict[str, str], times: Mapping[str, int], masked: Masked
    ) -> dict[str, int]:
        """A time at the edge of a wildcard is the time of the whole: "remind me to call Mum tomorrow"."""
        kinds = [kind for kind in _TIMES if kind in self._times.get(tool, ()) and kind not in times]
        for name, words in slots.items():
            for kind in kinds if name not in _TIMELESS else ():
                for index in masked.of_kind(kind):
                    mark = token(index)
                    begins = words.startswith(mark) and not words.startswith((f"{mark}'s", f"{mark}’s"))
                    if words != mark and (begins or words.endswith(mark)):
                        slots[name] = re.sub(_LEFT_OVER, "", words.replace(mark, "").strip(_END))
                        return {kind: index}
        return {}


def _overreaches(match: Match, masked: Masked, user: UserContext) -> bool:
    """Whether a wildcard took more than a name or a few words: those that are no text go over no comma, a person's
    name holds no other's, and a place no number, time, verb or contact ("Vienna for two people", 布拉格找个)."""
    people = [one for name, words in match.slots.items() if name in PEOPLE for one in several(words)]
    places = [words for name, words in match.slots.items() if name in _PLACES]
    spans = [span.text for span in masked.spans]
    return (
        match.wide
        or any(_PREPOSITION.fullmatch(words) for words in match.slots.values())
        or any(words in spans for name, words in match.slots.items() if name in _NO_TIMES)
        or any(encloses_a_name(one, user) for one in people)
        or any(_NO_PLACE.search(one) or named_in(one, user) or any(text in one for text in spans) for one in places)
    )


def _lists(masked: Masked) -> dict[str, SlotList]:
    """What the spans of a sentence may stand for."""
    return {
        slot: TextSlotList.from_tuples(((token(index), index) for index in masked.of_kind(slot)), False, slot)
        for slot in SPAN_SLOTS
    }


def _live_lists(user: UserContext) -> dict[str, SlotList]:
    names = {
        "contact": [
            name
            for person in user.contacts
            for name in (person.name, *person.aliases, *parts_of(person.name), str(person.email or ""))
        ],
        "account": account_names(user),
    }
    return {
        kind: TextSlotList.from_tuples(((name, name) for name in dict.fromkeys(found) if name), False, kind)
        for kind, found in names.items()
    }


def _completed(value: Any, said: Mapping[str, str]) -> Any:
    """A fixed argument may hold slots, which brings words of the template into it: `do: "summarize {do}"`."""
    return value.format_map(said) if isinstance(value, str) else value


def _as_said(slot: str, sentence: str, name: str, language: Language) -> str:
    """The slot's words with the punctuation that hassil takes out; a message's body keeps its last mark as well,
    and the "for me" or 吗 at its end, which is politeness anywhere else."""
    place = next(iter(_whole(slot, simplified(sentence))), None)
    said = sentence[slice(*place)] if place else slot
    rest = sentence[place[1] :] if place and name in _WHOLE else ""
    if _WRITTEN.match(rest) and _stripped(said + rest, language) == said.strip(_END):
        said += rest
    said = said.strip(" \t\n,，;；:：") if name == "body" else said.rstrip(_END).lstrip(_FRONT)
    bare = said.strip(_END)
    return bare[1:-1].strip() if len(bare) > 2 and (bare[0], bare[-1]) in _QUOTES else said


def _whole(words: str, sentence: str) -> list[tuple[int, int]]:
    """The places of `words` where they are no part of other words; all where there are none."""
    places = list(_places(words, sentence))
    return [pair for pair in places if not any(_in_a_word(index, sentence) for index in pair)] or places


def _places(words: str, sentence: str) -> Iterator[tuple[int, int]]:
    """Beginnings and ends of `words` in `sentence`, of which hassil may have taken out punctuation.

    A pattern compiled for each slot would take longer than the matching of the templates.
    """
    kept = [index for index, one in enumerate(sentence) if not _is_gap(one)]
    bare = "".join(_folded(sentence[index]) for index in kept)
    parts = ["".join(_folded(one) for one in part if not _is_gap(one)) for part in words.split()]
    sought = "".join(parts)
    breaks = set(accumulate(len(part) for part in parts))
    found = bare.find(sought) if sought else -1
    while found >= 0:
        at = kept[found : found + len(sought)]
        apart = {place for place, pair in enumerate(pairwise(at), 1) if _apart(*pair, sentence)}
        if apart <= breaks and all(kept[found + one] - kept[found + one - 1] > 1 for one in breaks - {len(sought)}):
            after = found + len(sought)
            yield kept[found], kept[after] if after < len(kept) else len(sentence)
        found = bare.find(sought, found + 1)


def _apart(one: int, other: int, sentence: str) -> bool:
    """Whether two characters belong to two words: with a space between them, but not beside Chinese."""
    latin = sentence[one].isascii() and sentence[other].isascii()
    return latin and any(between.isspace() for between in sentence[one + 1 : other])


def _is_gap(one: str) -> bool:
    return one.isspace() or one in _GAP


def _folded(one: str) -> str:
    return low if len(low := one.lower()) == 1 else one


def _torn(result: RecognizeResult, sentence: str) -> bool:
    """Whether a wildcard has taken a part of a word: "Lisb" of "Lisbon", because a template goes on with "on"."""
    wild = [entity.text for entity in result.entities.values() if entity.is_wildcard]
    return any(
        all(_in_a_word(start, sentence) or _in_a_word(end, sentence) for start, end in _places(words, sentence))
        for words in wild
    )


def _in_a_word(index: int, sentence: str) -> bool:
    """Whether letters of one word stand on both sides; Chinese has no such places."""
    return 0 < index < len(sentence) and bool(_LETTER.match(sentence[index - 1]) and _LETTER.match(sentence[index]))


def _stripped(text: str, language: Language) -> str:
    """Without politeness and particles, as often as they are stacked."""
    before = None
    while text and text != before:
        before, text = text, _POLITE[language].sub("", text).strip(_END)
    return text or str(before or "")

"""What a person's words carry of what the model wrote: what they don't is dropped, what it left out is put in.

Pure: knows no model and asks nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.conversation.arguments import PEOPLE, World
from assistant.conversation.filling import ENDS, SLOTS_OF, STARTS, sayable
from assistant.conversation.grammar import Written
from assistant.conversation.people import account, account_names, known
from assistant.conversation.phrases import first_group, phrases
from assistant.conversation.shortlist import terms
from assistant.conversation.spans import Masked, fits
from assistant.skillkit.loader import Skills, Tool
from assistant.skillkit.schema import Argument
from assistant.values import Impossible, Interval, Moment, Number, Period, Span

COMPOSED = frozenset(
    {"body", "note", "text", "title", "label", "query", "question", "subject", "fact", "reference", "interests", "do"}
)
"""Arguments that a person may paraphrase; all others must stand in the words as they are."""
_WHOLE = frozenset({"body", "note", "fact", "question", "do"})
"""Arguments that may hold a time or an amount of their own ("tell her that Friday works")."""
_GENERIC = ("duration", "when", "period", "amount")
_BY = re.compile(
    r"(?:^|\b)(?:by|before|until|till|no later than|latest|bis|spätestens(?: um)?|vor"
    r"|avant|jusqu'à|d'ici|antes de|para)\s*$"
    r"|^(?:by|before|until|bis|avant|antes de)\s",
    re.IGNORECASE,
)
_FIRST = ("destination", "to", "query", "text", "body", "place", "name", "sender")
"""Of two arguments with the same words, these keep them."""
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_JOINT = re.compile(r"\s*(?:,|，|、|;|&|\band\b|\bund\b|\bet\b|\by\b|和|跟|と)\s*$", re.IGNORECASE)
_BEFORE = re.compile(r"\s*(?:之前|以前|前|までに|まで|前に)")
SPANNED = frozenset(SLOTS_OF)
"""Types whose values are spans of the sentence."""


def span_of(value: object, masked: Masked) -> int | None:
    """Which span the model copied."""
    said = _plain(str(value))
    return next((index for index, span in enumerate(masked.spans) if _plain(span.text) == said), None)


def _plain(text: str) -> str:
    return re.sub(r"[\s\"\\]+", " ", text).strip().casefold()


def slot_of(tool: Tool, name: str, span: Span, given: Mapping[str, object], *, latest: bool) -> str:
    """The slot of a span that the model gave to an argument: a day that is looked at is looked at whole."""
    if name in ("depart_at", "arrive_by"):
        return "arrive_by" if latest else "depart_at"
    if name not in STARTS or not given.keys().isdisjoint(ENDS):
        return name
    if isinstance(span.value, Period | Interval):
        return "period"  # "from the 11th to the 13th" gives the end as well
    whole = isinstance(span.value, Moment) and span.value.precision == "day" and tool.declaration.effect == "read"
    return "period" if whole and {"until", "end"} & tool.schema.properties.keys() else name


def is_latest(span: Span, said: str) -> bool:
    """Whether the time is the latest that is wanted: "by nine", bis neun Uhr, 九点前."""
    return bool(_BY.search(said[: span.start]) or _BY.match(span.text) or _BEFORE.match(said[span.end :]))


def somebody_left(said: str, words: Mapping[str, Any], world: World) -> str:
    """The one contact whom the sentence names and no argument holds; empty if there are none or several."""
    used = " ".join(map(str, words.values())).casefold()
    names = [
        person.name
        for person in world.user.contacts
        if any(_named_in(name, said) for name in (person.name, *person.aliases))
        and not any(name.casefold() in used for name in (person.name, *person.aliases))
    ]
    return names[0] if len(names) == 1 else ""


def unnamed(tool: Tool, words: Mapping[str, Any], chosen: Mapping[str, int], skills: Skills) -> str:
    """What a contact in the sentence stands for where a thing is looked up by nothing yet: its sender, its words."""
    for name in tool.schema.required:
        for lookup in skills.lookups(tool.skill).get(name, ()):
            if {name, *lookup.by} & {*words, *chosen}:
                return ""
            return next((one for one in ("sender", "query") if one in lookup.by), "")
    return ""


def purpose(masked: Masked) -> str:
    """What a payment is for, in the payer's words: after a label ("reference …", 备注) or after "for"."""
    how = phrases("any")
    if label := how["labelled"].search(masked.said):
        return label["what"].strip(" .")
    return first_group(how["purpose"].search(masked.text))


def _named_in(name: str, said: str) -> bool:
    if not name.isascii():
        return name.casefold() in said.casefold()
    parts = [name, *(part for part in name.split() if len(part) > 2 and part[0].isupper())]
    return any(re.search(rf"(?<!\w){re.escape(part)}(?!\w)", said, re.IGNORECASE) for part in parts)


def account_in(said: str, world: World) -> str:
    """The one account that the sentence names, as it calls it; empty if there are none or several."""
    folded = said.casefold()
    words = {account(word, world.user): word for word in account_names(world.user) if word.casefold() in folded}
    return next(iter(words.values())) if len(words) == 1 else ""


def swallows(name: str, value: object, said: str) -> bool:
    """Whether an argument is most of the sentence, which nobody would search by, or all of it, which nobody writes."""
    most = {"subject": 0.6, "query": 0.6, "sender": 0.6, "body": 0.9, "note": 0.9, "reference": 0.6}.get(name, 2.0)
    return len(str(value)) > most * len(said.strip(" .。!！?？"))


def plausible(args: Mapping[str, str | bool], masked: Masked) -> dict[str, str | bool]:
    """Without what a small model writes where it has nothing to say: the same words in several arguments, a time as a
    place or a person, one time as beginning and end."""
    kept: dict[str, str | bool] = {}
    for name, value in sorted(args.items(), key=lambda pair: (pair[0] not in _FIRST, pair[0] in ENDS)):
        words = _plain(str(value))
        again = any(_plain(str(other)) == words for other in kept.values())
        timed = name not in COMPOSED and name in (*PEOPLE, "location", "list", "place", "category", "cabin")
        is_time = timed and any(words in _plain(span.text) or _plain(span.text) == words for span in masked.spans)
        if isinstance(value, bool) or not (again or is_time):
            kept[name] = value
    return {name: value for name, value in args.items() if name in kept}


def left_over(
    masked: Masked, names: Mapping[str, Argument], words: Mapping[str, Any], chosen: Mapping[str, int]
) -> dict[str, int]:
    """Times and amounts that the model did not use, where the tool has a place for them."""
    found: dict[str, int] = {}
    for index, span in enumerate(masked.spans):
        if index in chosen.values() or isinstance(span.value, Number) or _inside(span.text, words):
            continue
        slot = next(kind for kind in _GENERIC if fits(span, kind))
        taken = any(fits(masked.spans[other], slot) for other in chosen.values())
        if not taken and (slot != "amount" or "amount" in names):
            found.setdefault(slot, index)
    return found


def _inside(text: str, words: Mapping[str, Any]) -> bool:
    """Whether a span belongs to what is written, not to the call."""
    return any(text in str(value) for name, value in words.items() if name in _WHOLE)


def trimmed(name: str, value: Any, masked: Masked, chosen: Mapping[str, int]) -> Any:
    """A text without the time that the call has taken from its edge: "call mum at 6" → "call mum"."""
    if name in _WHOLE or name not in COMPOSED or not isinstance(value, str):
        return value
    for index in chosen.values():
        said = masked.spans[index].text
        if value.startswith(said) or value.endswith(said):
            value = value.replace(said, "").strip(" ,，。.;；") or value
    return value


def fault_of(calls: Sequence[Written], allowed: Mapping[str, Tool], masked: Masked, world: World) -> str:
    """What the calls leave out or make up, told to the model; empty if nothing."""
    given = {(call.tool, name): value for call in calls for name, value in call.args.items()}
    spans = [span_of(value, masked) for value in given.values()]
    text = " ".join(str(value) for value in given.values())
    for index, span in enumerate(masked.spans):
        usable = any(
            one.type in SPANNED for call in calls for one in sayable(allowed[call.tool], world.skills).values()
        )
        if usable and index not in spans and span.text not in text and not isinstance(span.value, Impossible | Number):
            return f'You left out "{span.text}". Write the line again, whole.'
    for (_, name), value in given.items():
        if (
            isinstance(value, str)
            and span_of(value, masked) is None
            and grounded(name, value, masked.said, world) is None
        ):
            return (
                f'{name}="{value}" is not in the message. Write the line again without it, or another tool, or reply:.'
            )
    return ""


def grounded(name: str, value: Any, said: str, world: World) -> Any:
    """The value if the person's words carry it, else None."""
    if isinstance(value, bool):
        return value or None
    if isinstance(value, list):
        return [one for one in value if grounded(name, one, said, world)] or None
    text = str(value).strip()
    if name in PEOPLE:
        parts = _addresses(text, said) or [part for part in re.split(r"\s*[,，、;]\s*", text) if part]
        kept = [part for part in parts if _named(part, said, world) and not phrases("any")["nobody"].search(part)]
        return ", ".join(kept) or None
    return text if _share(text, said) >= (0.5 if name in COMPOSED else 1.0) else None


def _addresses(text: str, said: str) -> list[str]:
    """Of words that hold an address, the addresses, and those that are joined to them by "and" or a comma."""
    if not (held := _ADDRESS.findall(text)):
        return []
    for more in _ADDRESS.finditer(said):
        joins = _JOINT.search(said[: more.start()])
        if more.group() not in held and joins and said[: joins.start()].endswith(tuple(held)):
            held.append(more.group())
    return held


def _named(text: str, said: str, world: World) -> bool:
    return _share(text, said) >= 1.0 or any(
        _mentioned(person.name, person.aliases, said) for person in known(text, world.user)
    )


def _share(text: str, said: str) -> float:
    """How much of a text's words is in what was said."""
    wanted, there = terms([text]), set(terms([said]))
    if not wanted:
        return 1.0 if text and text.casefold() in said.casefold() else 0.0
    return sum(term in there for term in wanted) / len(wanted)


def _mentioned(name: str, aliases: Sequence[str], said: str) -> bool:
    there = set(terms([said]))
    return any(set(terms([form])) & there for form in (name, *aliases))

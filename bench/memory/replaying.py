"""A month replayed (`bench/data/memory/month.jsonl`): chat, mail, tools, pages, automations. What of it became a fact?

Each event enters as it does in the product: a person's turns by `heard`, what the user wrote to others as theirs, all
else as somebody else's words; automations are not heard at all. Judged are all facts that ever were, ended ones too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import combinations
from typing import Any

from assistant.concealed import redact
from assistant.conversation.language import detect
from assistant.knowledge import Fact
from assistant.memory.gates import says_same
from assistant.models import Turn
from assistant.store.index import fold
from bench.memory.extracting import is_meant, lines
from bench.memory.home import Home, Workshop

_UNTRUSTED = ("mail_in", "tool", "web", "automation")
FIGURES = (
    "junk",
    "junk_apart",
    "near_dup",
    "own_words",
    "untrusted_facts",
    "month_recall",
    "month_facts",
    "month_asked",
)
Event = dict[str, Any]


async def measured(shop: Workshop, most: int = 0) -> dict[str, float | int | None]:
    """Junk is the share of facts that fit no label, junk_apart of those that fit none of the very event they come from;
    near_dup is the share of current ones that say what another one says.

    own_words and untrusted_facts count facts that stand in words of the assistant's, or of others, alone.
    """
    events = lines("month.jsonl")[: most or None]
    with shop.home(shop.model) as home:
        sources: dict[str, Event] = {}
        for event in events:
            _replay(home, event)
            sources[f"turn:{event['id']}"] = event
            if home.profile.reader is not None:
                await home.profile.reader.settle()
        facts = home.profile.facts(history=True)
        current = home.profile.facts()
        of = {fact.id: [sources[one.source] for one in home.profile.why(fact.id)] for fact in facts}
        asked = home.profile.reader.tally.asked if home.profile.reader is not None else 0
    labels = [(event, label) for event in events for label in event["facts"] if not label.get("optional")]
    told = [label for event, label in labels if any(is_meant(label, one) for one in facts if event in of[one.id])]
    every = [label for event in events for label in event["facts"]]
    junk = [fact for fact in facts if not any(is_meant(label, fact) for label in every)]
    apart = [fact for fact in facts if not any(is_meant(one, fact) for event in of[fact.id] for one in event["facts"])]
    return {
        "junk": len(junk) / len(facts) if facts else None,
        "junk_apart": len(apart) / len(facts) if facts else None,
        "near_dup": len(set(_doubled(current))) / len(current) if current else None,
        "own_words": sum(all(event["from"] == "assistant" for event in of[fact.id]) for fact in facts),
        "untrusted_facts": sum(all(event["from"] in _UNTRUSTED for event in of[fact.id]) for fact in facts),
        "month_recall": len(told) / len(labels) if labels else None,
        "month_facts": len(facts),
        "month_asked": asked,
    }


def _replay(home: Home, event: Event) -> None:
    """One event through the product's own door."""
    at, language = datetime.fromisoformat(event["at"]), detect(event["text"])
    home.clock.at = at.replace(tzinfo=home.clock.zone)
    if event["from"] == "user":
        turn = Turn(id=event["id"], text=redact(event["text"]), surface="web", session=event["session"])
        home.profile.heard(turn, language)
    elif event["from"] != "automation":
        home.profile.take_in(
            event["text"],
            f"turn:{event['id']}",
            language=language,
            at=home.clock.now(),
            origin="wrote" if event["from"] == "mail_out" else "heard",
            speaker="" if event["from"] == "mail_out" else event["from"],
            thread=event["session"],
        )


def _doubled(facts: Sequence[Fact]) -> Iterator[str]:
    """Facts that say what an earlier one says."""
    for one, other in combinations(facts, 2):
        if fold(one.subject) == fold(other.subject) and one.kind == other.kind and says_same(one.value, other.value):
            yield other.id

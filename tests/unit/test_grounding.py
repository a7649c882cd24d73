"""What the words of a sentence carry: purposes of payments, addresses, cuts between two requests, bids to remember."""

from __future__ import annotations

from typing import cast

import pytest

from assistant.conversation.arguments import World
from assistant.conversation.grounding import grounded, purpose
from assistant.conversation.phrases import bids_remember
from assistant.conversation.spans import halves, mask
from assistant.models import UserContext
from assistant.skillkit.loader import Skills
from tests.support.talk import NOW

WORLD = World(NOW, UserContext(), cast(Skills, None), str, str)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("Zahl Bob 49,90 € fürs Festivalticket.", "Festivalticket"),
        ("Transfer 30 to Bob for Anna's gift tomorrow", "Anna's gift"),
        ("Überweise 1.200,50 € an Krause, Verwendungszweck Miete Dezember.", "Miete Dezember"),
        ("转二十五块五给王伟，昨天的奶茶钱", "奶茶钱"),
        ("给王伟转30，备注午饭", "午饭"),
        ("send Bob 20 euros", ""),
    ],
)
def test_what_a_payment_is_for(said: str, what: str) -> None:
    assert purpose(mask(said, NOW)) == what


@pytest.mark.parametrize("word", ["please", "ok", "三个人", "大家", "everyone"])
def test_politeness_and_crowds_are_nobody(word: str) -> None:
    assert grounded("attendees", word, f"a call with Bob {word}", WORLD) is None


def test_addresses_that_are_joined_stay_together() -> None:
    said = "Mail ops@example.net and hr@example.net the plan of lab@example.net"
    assert grounded("to", "Mail ops@example.net", said, WORLD) == "ops@example.net, hr@example.net"


def test_no_cut_goes_through_a_time() -> None:
    said = "a timer of an hour and ten minutes"
    assert halves(said, mask(said, NOW).spans) == []
    assert halves(said) != []


def test_two_sentences_are_apart_and_a_list_is_not() -> None:
    assert halves("what's on today? and delete the gym", apart=True) == [("what's on today", "delete the gym")]
    assert halves("今天有什么安排？健身那个删了", apart=True) == [("今天有什么安排", "健身那个删了")]
    assert halves("buy milk and bread tomorrow", apart=True) == []
    assert halves("write to Dr. Haddad tomorrow", apart=True) == []


@pytest.mark.parametrize(
    "said", ["Remember that I like tea", "记住我不吃辣", "Merk dir das", "Recuerda que soy zurdo", "覚えておいて"]
)
def test_a_bid_to_remember(said: str) -> None:
    assert bids_remember(said)


def test_what_is_merely_told_is_no_bid_to_remember() -> None:
    assert not bids_remember("唉，又是周一，不想上班。")
    assert not bids_remember("I'm so tired today")

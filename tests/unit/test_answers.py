"""A yes in other words than any template's is a yes only where all its words are words of a yes."""

from __future__ import annotations

import pytest

from assistant.conversation.answers import answer_of
from assistant.models import Language


def _nothing(clause: str) -> str:
    return ""


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "lovely, that can go"),
        ("en", "That reads well, off it goes!"),
        ("en", "it's a yes from me"),
        ("en", "no objections from my side"),
        ("en", "can't think of anything to add, you can post it"),
        ("zh", "写得挺好，发出去吧"),
        ("zh", "人都对，邀请可以出去了"),
        ("zh", "读着很自然，我没别的要改，同意"),
    ],
)
def test_a_yes(language: Language, said: str) -> None:
    assert answer_of(said, language, _nothing) == "yes"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "can you send it"),
        ("en", "should I send it?"),
        ("en", "send it to Bob"),
        ("en", "send it tomorrow"),
        ("en", "yes but to Bob"),
        ("en", "that looks good, now read it"),
        ("en", "ok, I'm off"),
        ("en", "I like it"),
        ("en", "it's not good to go"),
        ("en", "don't send that"),
        ("en", "I can do it"),
        ("en", "I'll send it"),
        ("en", "I will send it"),
        ("en", "you can go"),
        ("en", "let me send it"),
        ("zh", "发给她"),
        ("zh", "先别发"),
        ("zh", "我来发"),
        ("zh", "我去寄"),
        ("zh", "我直接发就行"),
        ("zh", "好，但是改一下"),
        ("zh", "这样好吗"),
        ("zh", "再看看"),
        ("zh", "可以明天发"),
    ],
)
def test_no_yes(language: Language, said: str) -> None:
    assert answer_of(said, language, _nothing) is None

"""The planner's small parts: the reply read while it is written, claims of deeds, the shortlist's terms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.conversation.claims import claims_a_deed
from assistant.conversation.language import detect
from assistant.conversation.people import known, plain
from assistant.conversation.planner import ReplyReader, joined
from assistant.conversation.shortlist import terms
from assistant.models import Call, Person, Step, UserContext


@given(st.text(max_size=60), st.lists(st.integers(1, 7), min_size=1, max_size=60))
def test_a_reply_cut_anywhere_is_read_whole(text: str, sizes: list[int]) -> None:
    whole = f"reply: {text}"
    reader, said, position = ReplyReader(), "", 0
    for size in [*sizes, len(whole)]:
        said += reader.feed(whole[position : position + size])
        position += size
    assert said == text == reader.text


@given(st.text(max_size=80))
def test_no_output_breaks_the_reply_reader(text: str) -> None:
    assert ReplyReader().feed(text) is not None


def test_an_act_is_no_reply() -> None:
    assert ReplyReader().feed('reminders.add(text="reply: x")') == ""


@pytest.mark.parametrize(
    "text",
    [
        "I've sent the email to Anna.",
        "I have added the reminder.",
        "I just scheduled it for you",
        "I set a reminder for tomorrow.",
        "The email has been sent.",
        "已经为您发送邮件",
        "我已经帮您设置好了提醒",
        "已为您预订酒店。",
        "I'll remind you tomorrow.",
        "Noted: Ben paid 11 euros.",
        "记下：Ben 付了 €11.00。",
        "好的，我会在明天提醒您。",
    ],
)
def test_a_claimed_deed_is_noticed(text: str) -> None:
    assert claims_a_deed(text)


@pytest.mark.parametrize(
    "text",
    [
        "Jane Austen wrote it.",
        "I can send an email for you.",
        "Shall I set a reminder?",
        "你可以发送邮件。",
        "I will explain it: light scatters.",
        "天空是蓝色的，因为瑞利散射。",
        "The letter was sent by Napoleon in 1805.",
    ],
)
def test_plain_talk_is_no_claim(text: str) -> None:
    assert not claims_a_deed(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("hello", "en"),
        ("你好", "zh"),
        ("帮我 book 一个 meeting", "zh"),
        ("タイマーを見せて", "en"),
        ("设定", "zh"),
        ("42", "zh"),
    ],
)
def test_the_language_is_told_from_the_words(text: str, language: str) -> None:
    assert detect(text, "zh") == language


USER = UserContext(
    contacts=(
        Person(name="Lan Lin", aliases=("sister", "姐姐", "林岚"), email="lan@example.cn"),
        Person(name="Anna Schmidt", email="anna.schmidt@example.org"),
        Person(name="Anna Weber", email="weber@example.org"),
        Person(name="Dr. Sara Haddad"),
    )
)


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("my sister", ["Lan Lin"]),
        ("my sister's", ["Lan Lin"]),
        ("我姐姐", ["Lan Lin"]),
        ("我的姐姐", ["Lan Lin"]),
        ("林岚", ["Lan Lin"]),
        ("LAN@example.cn", ["Lan Lin"]),
        ("Anna", ["Anna Schmidt", "Anna Weber"]),
        ("anna schmidt", ["Anna Schmidt"]),
        ("Haddad", ["Dr. Sara Haddad"]),
        ("Nobody", []),
        ("", []),
    ],
)
def test_people_are_known_by_what_the_user_calls_them(word: str, names: list[str]) -> None:
    assert [person.name for person in known(word, USER)] == names


@given(st.text(max_size=40))
def test_a_name_is_never_lost_nor_does_it_raise(word: str) -> None:
    assert plain(word) or not word.strip()
    known(word, USER)


def test_chinese_terms_are_pairs() -> None:
    assert terms(["提醒我"]) == ["提醒", "醒我"]
    assert terms(["Unread emails"]) == ["unread", "email"]


def test_references_move_with_their_calls() -> None:
    reference = {"$from": 0, "field": "message_id"}
    one = Step(kind="call", calls=(Call(tool="a.find"), Call(tool="a.do", args={"id": reference})))
    two = Step(kind="call", calls=(Call(tool="b.find"), Call(tool="b.do", args={"id": reference})))
    assert [call.args.get("id", {}).get("$from") for call in joined([one, two]).calls] == [None, 0, None, 2]


@pytest.mark.parametrize("word", ["the one with the example.org address", "邮箱是example.org的那个联系人"])
def test_a_domain_means_all_who_have_it(word: str) -> None:
    assert [person.name for person in known(word, USER)] == ["Anna Schmidt", "Anna Weber"]

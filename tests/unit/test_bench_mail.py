"""The mail benches measure what they say: made-up mails are what they claim, two readings are compared fairly."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from bench.mail.faults import _spread
from bench.mail.letters import RARE, letter, letters
from bench.mail.scene import Case
from bench.oddmail import Tally, same, standard, text_right
from tests.support.mail import module

parse: Any = module("parse").parse


def test_letters_are_the_same_each_time_and_read_as_they_were_written() -> None:
    made = list(letters(300, "mei@pda.test"))
    digest = hashlib.sha256(b"".join(one.raw for one in letters(300, "mei@pda.test"))).hexdigest()
    assert hashlib.sha256(b"".join(one.raw for one in made)).hexdigest() == digest
    mails = [parse(one.raw) for one in made]
    assert [(mail.subject, mail.message_id) for mail in mails] == [(one.subject, one.message_id) for one in made]
    assert sum("\ufffd" in mail.text for mail in mails) == 0
    assert 60 < sum(any("\u4e00" <= character <= "\u9fff" for character in mail.text) for mail in mails) < 180
    assert 5 < sum(bool(mail.attachments) for mail in mails) < 40
    assert sum(mail.bulk for mail in mails) > 15
    assert len({mail.thread for mail in mails}) == 60


def test_a_rare_word_is_in_one_letter_alone() -> None:
    texts = [parse(one.raw).text for one in letters(2 * RARE + 1, "mei@pda.test")]
    for number in (0, RARE, 2 * RARE):
        assert [at for at, text in enumerate(texts) if f"rare{number}" in text.split()] == [number]
    assert letter(7, "mei@pda.test", seed=2).raw != letter(7, "mei@pda.test").raw


@pytest.mark.parametrize(
    ("size", "steps", "expected"),
    [(100, 5, [0, 25, 50, 75, 100]), (3, 9, [0, 1, 2, 3]), (50, 2, [0, 50]), (50, 1, [0]), (0, 4, [0])],
)
def test_cuts_are_spread_from_the_first_byte_to_the_last(size: int, steps: int, expected: Sequence[int]) -> None:
    assert _spread(size, steps) == expected


def test_a_case_counts_what_went_wrong_and_says_it() -> None:
    case = Case("send")
    case.add("after 0 bytes")
    assert (case.row(), case.faults) == (("send", 0, 0, 0, 0), [])
    case.add("after 7 bytes", lost=1, stuck=2)
    assert (case.row(), case.faults) == (("send", 0, 1, 0, 2), ["after 7 bytes: 1 lost, 2 stuck"])


@pytest.mark.parametrize(
    ("name", "mine", "theirs", "verdict"),
    [
        ("subject", "Re: Lunch  today", "re: lunch today", True),
        ("subject", "Re: Lunch", "Re: Launch", False),
        ("subject", "邮件", "\ufffd\u02bc", None),
        ("from", [("Anna", "anna@example.org")], [("A.", "Anna@Example.org"), ("", "b@example.org")], True),
        ("to", [("", "a@x.org"), ("", "b@x.org")], [("", "a@x.org")], False),
        ("to", [("", "a@x.org")], [("", "a@x.org"), ("", "A@x.org"), ("", "")], True),
        ("cc", [], None, None),
    ],
)
def test_two_readings_of_a_field(name: str, mine: Any, theirs: Any, verdict: bool | None) -> None:
    assert same(name, mine, theirs) is verdict


def test_text_is_right_where_no_word_is_missing_or_out_of_order() -> None:
    assert text_right("Hello [there](https://x.org) you", "Hello there you")
    assert text_right("Hello you", "Hello there you") is False
    assert text_right("you there", "there you") is False
    assert text_right("x", None) is None
    assert text_right("x", "\ufffd") is None


def test_a_field_is_right_by_one_reading_and_counted_by_both() -> None:
    tally = Tally()
    assert tally.count("to", [True, False])
    assert tally.count("to", [True, True])
    assert tally.count("to", [None, None])
    assert not tally.count("to", [False, None])
    assert (tally.right["to"], tally.unsure, tally.share("to")) == ([2, 1, 3], 1, 0.6667)


def test_the_standard_reading_leaves_out_attached_mails_and_files() -> None:
    raw = (
        b'Content-Type: multipart/mixed; boundary="e"\n\n--e\nContent-Type: text/plain\n\nouter\n'
        b"--e\nContent-Type: message/rfc822\n\nSubject: in\n\ninner\n"
        b'--e\nContent-Type: text/plain; name="a.txt"\n\nfile\n--e--\n'
    )
    text = standard(raw).text or ""
    assert "outer" in text
    assert "inner" not in text
    assert "file" not in text

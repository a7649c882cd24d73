"""Account numbers, addresses, links and amounts as they stand in a text. Example run: python -m pytest
tests/unit/test_values_exact.py -v"""

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.values.exact import account, address, amount, exact, host, url
from assistant.values.iban import format_iban

IBAN = "DE89370400440532013000"
OTHER = "GB29NWBK60161331926819"
CARD = "6222021234567890123"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"pay {IBAN} today", {IBAN}),
        ("pay DE89 3704 0044 0532 0130 00 today", {IBAN}),
        ("DE89 3704 0044 0532 0130 00.", {IBAN}),
        (f"iban {IBAN.lower()}, please", {IBAN}),
        ("de89 3704 0044 0532 0130 00 and then", {IBAN}),
        ("DE89-3704-0044-0532-0130-00", {IBAN}),
        ("DE89\u00a03704\u202f0044\u20090532\u00a00130.00", {IBAN}),
        ("DE89\u200b3704\u200b0044\u200b0532\u200b0130\u200b00", {IBAN}),
        ("DE89 3704 0044\n0532 0130 00", {IBAN}),
        ("BE68 5390 0754 7034 EUR", {"BE68539007547034"}),
        ("BE68 5390 0754 7034 WITH LOVE", {"BE68539007547034"}),
        (f"{IBAN} or {format_iban(OTHER)}", {IBAN, OTHER}),
        (f"请转到{IBAN}，谢谢", {IBAN}),
        ("DE88 3704 0044 0532 0130 00", {"DE88370400440532013000"}),  # wrong check digits: an account all the same
        ("ab12 wxyz wxyz wxyz wxyz", set()),  # words in small letters are none by their look alone
        ("am12 when will come", set()),
        (f"x{IBAN}", set()),
        (f"账号 {CARD}", {CARD}),
        ("卡号6222 0212 3456 7890 123", {CARD}),
        ("6222-0212-3456-7890", {"6222021234567890"}),
        ("12345678901234567890", set()),  # twenty digits are no card
        ("call 0170 1234567", set()),
    ],
)
def test_account_numbers(text: str, found: set[str]) -> None:
    assert exact(text).accounts == found


@pytest.mark.parametrize("text", ["no12 6222 0212 3456 7890 123", f"ACC{CARD}", "de88 3704 0044 0532 0130 00"])
def test_a_word_before_it_hides_no_account(text: str) -> None:
    assert exact(text).accounts


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("de89 3704 0044 0532 0130 00", IBAN),
        ("DE89-3704-0044-0532-0130-00", IBAN),
        (CARD, CARD),
        ("6222 0212 3456 7890 123", CARD),
        (f"pay {IBAN}", None),
        ("123456789012345", None),
        ("Lan", None),
    ],
)
def test_what_is_an_account_and_nothing_else(text: str, number: str | None) -> None:
    assert account(text) == number


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1.200,50 EUR", {"1200.50"}),
        ("1,200.50 EUR", {"1200.50"}),
        ("1 200,50 €", {"1200.50"}),
        ("1'200.50 CHF", {"1200.50"}),
        ("€25", {"25"}),
        ("¥1,200", {"1200"}),
        ("50元", {"50"}),
        ("12,000.00 and 3", {"12000", "3"}),
        ("1.125", {"1125", "1.125"}),
        ("10%", set()),
        ("10％", set()),
        ("2026-11-23", set()),
        ("23.11.2026", set()),
        ("11/23/2026", set()),
        ("at 14:30", set()),
        ("June 13th meeting", set()),
        (IBAN, set()),
        ("x25y", set()),
    ],
)
def test_amounts(text: str, found: set[str]) -> None:
    assert exact(text).amounts == {Decimal(one) for one in found}


@pytest.mark.parametrize(
    ("text", "locale", "said"),
    [
        ("send her fifty euros", "en", "50"),
        ("send her a hundred and twenty dollars", "en", "120"),
        ("给她转五十块", "zh", "50"),
        ("转一千二百元", "zh", "1200"),
    ],
)
def test_amounts_in_words_count_where_they_were_spoken(text: str, locale: str, said: str) -> None:
    assert Decimal(said) in exact(text, spoken=locale).amounts
    assert not exact(text).amounts


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("25.00", "25"),
        (25, "25"),
        ("-3", "-3"),
        ("1e9999999", None),
        ("-1e-9999999999999999999", None),
        ("NaN", None),
        ("sNaN", None),
        ("Infinity", None),
        ("ten", None),
        (None, None),
        (True, None),
    ],
)
def test_an_amount_of_a_call(written: object, read: str | None) -> None:
    assert amount(written) == (Decimal(read) if read else None)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("see https://bank.example/login.", {"bank.example"}),
        ("see www.bank.example!", {"bank.example"}),
        ("(http://bank.example)", {"bank.example"}),
        ("HTTPS://BANK.example/A", {"bank.example"}),
        ("https://bank.example:8443/x", {"bank.example"}),
        ("https://bank.example@evil.example/x", {"evil.example"}),
        ("https://bank.example:pw@evil.example", {"evil.example"}),
        ("请看 https://bank.example，谢谢", {"bank.example"}),
        ("1http://evil.example", {"evil.example"}),
        ("look at bank.com/offers now", {"bank.com"}),
        ("请访问evil.com查看", {"evil.com"}),
        ("打开例子.中国", {"打开例子.中国"}),
        ("a.b.c is no address, 3.14 neither", set()),
        ("write to x@bank.com", set()),
    ],
)
def test_hosts_of_links(text: str, hosts: set[str]) -> None:
    assert exact(text).hosts == hosts


@pytest.mark.parametrize(
    "trick",
    [
        "https://bank.example@evil.example",
        "https://bank.example'@evil.example/",
        "https://bank.example)@evil.example/",
        "https://evil.example?@bank.example",
        "https://evil.example#@bank.example",
        "https://evil.example\\@bank.example",
        "https://bank.example看.evil.example",
    ],
)
def test_no_trick_makes_a_link_look_like_the_host_that_was_named(trick: str) -> None:
    assert url(trick) != "bank.example"
    assert host(trick) != "bank.example"
    named = exact("see https://bank.example")
    assert exact(trick).urls - named.urls - named.hosts


def test_a_link_in_a_chinese_sentence_is_the_link_and_the_whole() -> None:
    assert "example.org" in exact("打开http://example.org看看").urls
    assert len(exact("打开http://example.org看看").urls) == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("write lan@example.cn.", {"lan@example.cn"}),
        ("Lan <Lan@Example.CN>", {"lan@example.cn"}),
        ("发给lan@example.cn谢谢", {"lan@example.cn"}),
        ("lan@example.cnに送って", {"lan@example.cn"}),
        ("安娜@例子.org", {"安娜@例子.org"}),
        ("lan@例子.中国", {"lan@例子.中国"}),
        ("lan@localhost", set()),
        ("@here", set()),
    ],
)
def test_addresses(text: str, found: set[str]) -> None:
    assert exact(text).addresses == found


def test_a_letter_that_only_looks_like_another_is_another() -> None:
    for twin in ("аnna@example.org", "anna@exаmple.org", "ａnna@example.org"):
        assert address(twin) != address("anna@example.org")
        assert exact(twin).addresses == {address(twin)}


@pytest.mark.parametrize(
    ("said", "value", "stands"),
    [
        ("June 13th meeting 2013", "13", False),
        ("June 13th meeting 2013", "meeting 2013", True),
        ("it is June 13th.", "june 13th", True),
        ("the annual report", "ann", False),
        ("tell him you've seen it", "I've seen it", True),
        ("tell her", "him", False),
        ("him", "her", False),
        ("", "you", False),
        ("告诉他我看过了", "你看过了", True),
        ("告诉他", "你们", False),
        ("房间213号", "13号", False),
        ("房间13号", "13号", True),
        ("买牛奶和鸡蛋", "牛奶", True),
        ("买牛奶", "鸡蛋", False),
        ("anything", "...", False),
    ],
)
def test_words_stand_whole_or_not_at_all(said: str, value: str, stands: bool) -> None:
    assert exact(said).says(value) is stands


pieces = st.sampled_from(
    ["DE89", "3704", " ", ".", ",", "@", "://", "www.", "http", "a", "1", "€", "元", "五十", "com", "-", "\u200b", "\n"]
)
texts = st.text(max_size=200) | st.lists(pieces, max_size=60).map("".join)


@given(texts, st.sampled_from(["", "en", "zh"]))
def test_no_text_makes_it_stumble(text: str, spoken: str) -> None:
    found = exact(text, spoken=spoken)
    assert found.hosts == {host(one) for one in found.urls}
    for read in (account, address, url, host, amount):
        read(text)


@given(texts, texts)
def test_what_stands_between_spaces_is_found_whatever_stands_around(before: str, after: str) -> None:
    text = f"{before} 。 {IBAN} 。 {after}"
    assert IBAN in exact(text).accounts
    assert "lan@example.cn" in exact(f"{before} lan@example.cn {after}").addresses


@pytest.mark.parametrize(
    "piece",
    (
        "a|a.|1|1 |DE89|DE89 3704 |@|a@b.|a-|http://|a+|1.111|1,111,|五十块|1-|www.|AB12CDEF|com.|€ |.+-|a://b@"
        "|I paid 1.200,50 EUR to bank.com. "
    ).split("|"),
)
def test_a_long_text_of_somebody_else_keeps_nobody_waiting(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    for ending in ("", "@", "!"):
        began = time.process_time()
        exact(text + ending)
        assert time.process_time() - began < 2, "about 0.3 s on a quiet machine, minutes where it is not linear"

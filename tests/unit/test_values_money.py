"""Money and numbers: tables written from what the phrases mean, and properties that hold for any text and amount."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from assistant.values import Money, Number, find_money, find_numbers, format_amount, parse_money
from assistant.values.numbers import ENGLISH

HERE = Path(__file__).parent


def table(name: str) -> list[tuple[str, str]]:
    rows = YAML(typ="safe").load((HERE / name).read_text(encoding="utf-8"))
    return [(str(phrase), str(meaning)) for phrase, meaning in rows.items()]


def both(kind: str) -> list[tuple[str, str]]:
    return [*table(f"{kind}_en.yaml"), *table(f"{kind}_zh.yaml")]


def money(text: str) -> str:
    values = [span.value for span in find_money(text)]
    assert all(isinstance(value, Money) for value in values)
    return "; ".join(f"{format_amount(value.amount)} {value.currency}".strip() for value in values) or "-"  # type: ignore[union-attr]


def number(value: object) -> str:
    assert isinstance(value, Number)
    return f"{value.value.normalize():f}{' (pair)' if value.pair else ''}"


def bare(text: str) -> str:
    return "; ".join(number(span.value) for span in find_numbers(text)) or "-"


@pytest.mark.parametrize(("phrase", "meaning"), both("money"))
def test_amounts_of_money_are_what_the_words_say(phrase: str, meaning: str) -> None:
    assert money(phrase) == meaning


@pytest.mark.parametrize(("phrase", "meaning"), both("numbers"))
def test_bare_numbers_are_what_the_words_say(phrase: str, meaning: str) -> None:
    assert bare(phrase) == meaning


@pytest.mark.parametrize(
    ("text", "locale", "amount"),
    [
        ("1.200", "en", "1.20"),
        ("1.200", "de", "1200.00"),
        ("1.200", "zh", "1.20"),
        ("1,200", "en", "1200.00"),
        ("1.200 €", "en", "1200.00"),
        ("0.200 €", "en", "0.20"),
        ("1.200 dollars", "fr", "1200.00"),
    ],
)
def test_three_digits_after_a_dot_are_thousands_by_sign_or_locale(text: str, locale: str, amount: str) -> None:
    value = parse_money(text, locale=locale)
    assert value is not None
    assert format_amount(value.amount) == amount


def test_the_yen_sign_is_the_yuans_except_in_japan() -> None:
    assert parse_money("¥500") == Money(Decimal(500), "CNY")
    assert parse_money("¥500", locale="ja-JP") == Money(Decimal(500), "JPY")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("twenty-five fifty", "25.50"),
        ("just 25, please", "25.00"),
        ("一共三百", "300.00"),
        ("It's 12.50 euros.", "12.50"),
        ("-50", "-50.00"),
        ("一百二", "120.00"),
        ("2k", "2000.00"),
    ],
)
def test_a_whole_answer_is_an_amount_with_or_without_its_money_word(text: str, amount: str) -> None:
    value = parse_money(text)
    assert value is not None
    assert format_amount(value.amount) == amount


@pytest.mark.parametrize(
    "text", ["", "Bob", "25 and 30", "25 euros and 3 dollars", "send 25", "about 50", "明天", "50%"]
)
def test_what_is_not_one_amount_is_none(text: str) -> None:
    assert parse_money(text) is None


def test_a_span_is_exactly_the_words_of_the_original_text() -> None:
    for text in ("Send  €25.50 to Bob", "給媽媽轉３００塊錢吧", "A “25 euros” B"):
        (span,) = find_money(text)
        assert text[span.start : span.end] == span.text
    assert [span.text for span in find_money("給媽媽轉３００塊錢吧")] == ["３００塊錢"]


def test_money_and_numbers_never_share_a_word() -> None:
    text = "pay 12 euros 50 and 3 of 7 at 9:30, 三百块 给 两个人"
    taken = find_money(text)
    assert [span.text for span in taken] == ["12 euros 50", "三百块"]
    assert [span.text for span in find_numbers(text)] == ["3", "7", "两"]


@pytest.mark.parametrize(
    ("amount", "written"),
    [("25", "25.00"), ("25.5", "25.50"), ("0.125", "0.125"), ("-3", "-3.00"), ("1E+3", "1000.00"), ("-0", "0.00")],
)
def test_an_amount_is_written_with_at_least_two_decimals(amount: str, written: str) -> None:
    assert format_amount(Decimal(amount)) == written


def test_what_is_no_number_cannot_be_written() -> None:
    for amount in ("NaN", "Infinity"):
        with pytest.raises(ValueError, match="finite"):
            format_amount(Decimal(amount))


amounts = st.integers(0, 99_999_999).map(lambda cents: Decimal(cents) / 100)
_ENGLISH = {number: word for word, number in ENGLISH.items()}
_CHINESE = "零一二三四五六七八九"


def english_words(value: int) -> str:
    """0 to 999,999 as they are spoken in Britain."""
    if value < 21:
        return _ENGLISH[value]
    if value < 100:
        return _ENGLISH[value - value % 10] + (f"-{_ENGLISH[value % 10]}" if value % 10 else "")
    if value < 1000:
        rest = f" and {english_words(value % 100)}" if value % 100 else ""
        return f"{_ENGLISH[value // 100]} hundred{rest}"
    rest = f"{' and' if value % 1000 < 100 else ''} {english_words(value % 1000)}" if value % 1000 else ""
    return f"{english_words(value // 1000)} thousand{rest}"


def chinese_words(value: int) -> str:
    """0 to 99,999,999 as they are spoken."""
    if value == 0:
        return "零"
    if value >= 10_000:
        rest = value % 10_000
        return (
            chinese_words(value // 10_000)
            + "万"
            + (("零" if rest < 1000 else "") + chinese_words(rest) if rest else "")
        )
    said, zero = "", False
    for power, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // power % 10
        if digit:
            said += ("零" if zero and said else "") + _CHINESE[digit] + name
            zero = False
        else:
            zero = True
    return said.removeprefix("一") if said.startswith("一十") else said


@given(amounts)
@settings(max_examples=150, deadline=None)
def test_any_amount_in_digits_is_read_back(amount: Decimal) -> None:
    plain = format_amount(amount)
    european = f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
    for text in (f"€{plain}", f"{plain} euros", f"€{amount:,.2f}", f"{european} €", f"{plain}欧元", f"EUR {plain}"):
        assert parse_money(text) == Money(amount, "EUR"), text
        assert money(f"send {text} to Bob") == f"{plain} EUR", text
        assert money(f"给我姐姐转{text}吧") == f"{plain} EUR", text
    assert parse_money(plain) == Money(amount, "")


@given(amounts.filter(lambda amount: amount < 1_000_000))
@settings(max_examples=150, deadline=None)
def test_any_amount_in_words_is_read_back(amount: Decimal) -> None:
    whole, cents = int(amount), int(amount * 100) % 100
    english = f"{english_words(whole)} euros" + (f" and {english_words(cents)} cents" if cents else "")
    assert parse_money(english) == Money(amount, "EUR"), english
    jiao, fen = divmod(cents, 10)
    tail = f"{_CHINESE[jiao]}角" if jiao else "零" if fen else ""
    chinese = f"{chinese_words(whole)}元{tail}" + (f"{_CHINESE[fen]}分" if fen else "")
    assert parse_money(chinese) == Money(amount, "CNY"), chinese
    assert money(f"给妈妈转{chinese}买菜") == f"{format_amount(amount)} CNY", chinese


@given(st.integers(0, 999_999))
@settings(max_examples=150, deadline=None)
def test_any_whole_number_in_words_is_read_back(value: int) -> None:
    assert bare(f"count {english_words(value)} sheep") == (str(value) if value != 1 else "-")
    assert bare(chinese_words(value)) == str(value)


@given(st.integers(1, 99), st.integers(10, 99))
def test_two_numbers_in_a_row_are_a_price(euros: int, cents: int) -> None:
    said = f"{english_words(euros)} {english_words(cents)}"
    expected = Decimal(euros) + Decimal(cents) / 100
    assert parse_money(said) == Money(expected, ""), said
    assert parse_money(f"{said} euros") == Money(expected, "EUR")


_WORDS = [phrase for kind in ("money", "numbers") for phrase, _ in both(kind)]
_GLUE = [" ", "", "-", ",", ".", "€", "块", "and ", "点", "万", "9" * 30, "零", "a ", "point ", "hundred ", "负"]


@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(_WORDS + _GLUE), max_size=8).map("".join)))
@settings(max_examples=300, deadline=None)
def test_no_text_at_all_makes_it_stumble(text: str) -> None:
    check_spans(text)


@pytest.mark.parametrize(
    "piece",
    ["1", "one ", " ", "一", "1,", "1.", "€", "a hundred and ", "块", "十", "万", "point ", "1 000 ", "-1", "5毛"],
)
def test_a_very_long_text_is_read_before_the_suite_gives_up(piece: str) -> None:
    # A quadratic rule would still be reading when the suite's time limit ends the test.
    check_spans((piece * 8_000)[:8_000])


def check_spans(text: str) -> None:
    for found in (find_money(text), find_numbers(text)):
        end = 0
        for span in found:
            assert end <= span.start < span.end <= len(text)
            assert span.text == text[span.start : span.end]
            end = span.end
    parse_money(text)

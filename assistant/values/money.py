"""Amounts of money and bare numbers in free text, English and Chinese. Pure; knows no accounts and no rates.

A number is money with a sign or word beside it ("€25.50", "twelve euros fifty", 二十五块五); "1.200" is twelve hundred
only beside a euro sign or in a locale with decimal commas. Negative amounts are values too: who spends refuses them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

from assistant.values import amounts, currencies, spoken, spoken_money, times
from assistant.values.counted import Counted, numbers
from assistant.values.kinds import Money, Number, Span
from assistant.values.tongue import plain, tongue

_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)
_BEFORE = 24
_EDGES = " \t\r\n,.!?;:，。！？；：、"
_CN_DIGIT = "[一二两三四五六七八九1-9]"
_COUNTED = "个位条封张笔份本次家天周月年号日点时人件遍岁度层楼页台辆瓶杯斤公路十百千万亿%％0-9零一二三四五六七八九"
_WORTH = {"一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_MEASURED = "个位名条封张笔份本次家件项段篇首遍间晚杯瓶台辆页人"
_PRONOUN_AFTER = "of|more|day|another|by|or|and|thing|time|that|which|who|is|was|should|can|at|in|on|from|for|to|with"


def format_amount(amount: Decimal) -> str:
    """`Decimal("25.5")` → `"25.50"`: at least two decimals. Raises ValueError for NaN and infinity."""
    if not amount.is_finite():
        raise ValueError("an amount is finite")
    whole, _, part = format(abs(amount), "f").partition(".")
    return f"{'-' if amount < 0 else ''}{int(whole)}.{part.rstrip('0'):0<2}"


def find_money(text: str, *, locale: str = "en") -> list[Span]:
    """The amounts of money in `text`, in order, with offsets into it. Never raises; linear in its length.

    A text in German, French, Spanish or Japanese is read as its language writes numbers, whatever the locale.
    """
    language = tongue(text)
    if language == "en" or language == "zh":
        return _find(text, locale)
    # Six in "vingt-six euros" is no number of its own.
    general = [span for span in _find(text, language) if language == "ja" or re.search(r"\d", span.text)]
    return spoken_money.merged(general, list(spoken_money.find(text, language)))


def _find(text: str, locale: str) -> list[Span]:
    folded = amounts.fold_amounts(text)
    spans: list[Span] = []
    found = [*numbers(folded, locale), *_ones(folded)]
    found.sort(key=lambda number: number.start)
    position, begin = 0, 0
    while position < len(found):
        taken, span = _money(folded, found, position, begin, locale)
        position += taken
        if span is not None:
            begin = span.end
            spans.append(Span(span.start, span.end, text[span.start : span.end], span.value))
    return spans


def find_numbers(text: str, *, locale: str = "en", taken: Sequence[Span] | None = None) -> list[Span]:
    """Bare numbers in `text`: no part of a word, an ordinal, a percentage, money or a time.

    `taken` are the spans that other parsers found in the same text; without it they are looked for here. A Chinese
    numeral inside other characters counts where it is surely one: 二十, or before a measure word.
    """
    folded = amounts.fold_amounts(text)
    if taken is None:
        taken = [*times.find(text, _ANY_DAY), *find_money(text, locale=locale)]
    busy = sorted((span.start, span.end) for span in taken)
    spans: list[Span] = []
    index = 0
    for number in numbers(folded, locale):
        while index < len(busy) and busy[index][1] <= number.start:
            index += 1
        if (index < len(busy) and busy[index][0] < number.end) or not _bare(folded, number):
            continue
        start = max(_sign(folded, number.start), spans[-1].end if spans else 0)
        value = -number.value if start < number.start else number.value
        spans.append(Span(start, number.end, text[start : number.end], Number(value, number.pair)))
    return spans


def parse_money(text: str, *, locale: str = "en") -> Money | None:
    """What the whole of `text` amounts to, bare numbers allowed; None where it is not one amount."""
    folded = amounts.fold_amounts(text)
    for span in find_money(text, locale=locale)[:2]:
        rest = folded[: span.start] + " " + folded[span.end :]
        return span.value if isinstance(span.value, Money) and _idle(rest) else None
    for number in numbers(folded, locale)[:3]:
        start = _sign(folded, number.start)
        if _idle(folded[:start] + " " + folded[number.end :]):
            return Money(-number.value if start < number.start else number.value, "")
    language = tongue(text)
    said = spoken.number(plain(folded).strip(_EDGES), language) if language != "en" and language != "zh" else None
    return None if said is None else Money(Decimal(str(said)), "")


def _idle(rest: str) -> bool:
    """Whether these words around an amount say nothing: "just", "it's", 一共, "nur"."""
    rest = re.sub(
        r"\b(?:just|only|exactly|it's|it is|in total|please|make it)\b|一共|总共|只要?|就|请"
        r"|\b(?:genau|nur|bitte|insgesamt|juste|seulement|exactement|solo|exactamente|por favor)\b|ちょうど|だけ",
        " ",
        rest[:80],
    )
    return not rest.strip(_EDGES)


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    filler = r"(?:,? ?(?:uh|um|er|erm),? )?"
    tenths = rf"(?P<tenths>{_CN_DIGIT})[毛角](?:[零〇]?(?P<cents>{_CN_DIGIT})分?)?"
    return {
        "before": re.compile(rf"(?P<name>{currencies.BEFORE}) ?(?P<minus>-)?$"),
        "after": re.compile(rf"{filler}[ -]?(?P<name>{currencies.ENGLISH})"),
        "one": re.compile(
            rf"(?<![a-z0-9'’-])an?(?= (?:{currencies.ENGLISH}|{currencies.ENGLISH_MINOR})"
            r"(?! ?(?:accounts?|signs?|bills?|notes?|coins?|amounts?|zone|area|store|symbol|transfer|rate|price)))"
        ),
        "minor": re.compile(rf"{filler}[ -]?(?P<name>{currencies.ENGLISH_MINOR})|(?P<pence>p)(?![a-z0-9]|\.m)"),
        "chinese": re.compile(rf" ?(?:块钱?的?)?(?P<name>{currencies.CHINESE})| ?(?P<kuai>块)(?P<money>钱)?"),
        "also": re.compile(rf"的?(?P<name>{currencies.CHINESE})"),
        "coins": re.compile(r"毛(?![衣笔孔病利发驴巾线])|角(?![形度落色星])"),
        "cents": re.compile(rf"[零〇]?(?P<cents>{_CN_DIGIT})(?:分|(?![{_COUNTED}]|[.,][0-9]))"),
        "small": re.compile(currencies.CHINESE_MINOR),
        "tail": re.compile(
            rf"(?:{tenths}|[零〇0](?P<hundredth>{_CN_DIGIT})分?|(?P<fen>{_CN_DIGIT})分"
            rf"|(?P<two>[二三四五六七八九]?十[一二三四五六七八九]?|[1-9][0-9])(?:分|(?![{_COUNTED}]|[.,][0-9]))"
            rf"|(?P<half>半)(?![天年个小月])|(?P<one>{_CN_DIGIT})(?![{_COUNTED}分毛角小]|[.,][0-9]))钱?"
        ),
        "ends": re.compile(
            r" *(?:$|[^\w\s-]|(?:to|for|from|into|out|at|by|with|on|in|please|as|via|per|each|or|and|is|was|now|today"
            r"|tomorrow)(?![a-z]))"
        ),
    }


def _ones(text: str) -> list[Counted]:
    """The articles of "a euro" and "a buck fifty"."""
    return [Counted(*match.span(), Decimal(1), "words") for match in _patterns()["one"].finditer(text)]


def _money(text: str, found: list[Counted], position: int, begin: int, locale: str) -> tuple[int, Span | None]:
    """How many numbers make up the amount that starts at `position`, and the amount."""
    number = found[position]
    before = _patterns()["before"].search(text[max(begin, number.start - _BEFORE) : number.start])
    if (
        number.script == "digits"
        and not before
        and re.match(r"[a-z_]", text[max(begin, number.start - 1) : number.start])
    ):
        return 1, None
    if number.script == "chinese" or not text[number.end : number.end + 2].strip().isascii():
        span = _chinese_money(text, number, before, begin, locale)
        if span is not None:
            return _passed(found, position, span.end), span
    minor = None if before else _patterns()["minor"].match(text, number.end)
    if minor is not None and not _no_pence(text, number, minor):
        name = currencies.code(minor["name"], locale) if minor["name"] else "GBP"
        return 1, _signed(text, number.start, minor.end(), begin, number.value / 100, name)
    after = _patterns()["after"].match(text, number.end)
    if after is None and before is None:
        return 1, None
    name = after["name"] if after else before["name"] if before else ""
    value = _value(number, currencies.code(name, locale), locale)
    end = after.end() if after else number.end
    start = number.start - len(before.group()) if before else number.start
    taken = 1
    if after and value == value.to_integral_value() and not number.pair:
        part = _part(text, found, position, end)
        if part is not None:
            value, end, taken = value + part[0], part[1], 2
    return taken, _signed(text, start, end, begin, value, currencies.code(name, locale))


def _no_pence(text: str, number: Counted, match: re.Match[str]) -> bool:
    """1080p is no money."""
    return match["pence"] is not None and (number.script != "digits" or not 0 < number.value < 100)


def _value(number: Counted, code: str, locale: str) -> Decimal:
    if number.written and code == "EUR":
        return amounts.digits(number.written, locale, european=True) or number.value
    return number.value


def _passed(found: list[Counted], position: int, end: int) -> int:
    taken = 1
    while position + taken < len(found) and found[position + taken].start < end:
        taken += 1
    return taken


def _part(text: str, found: list[Counted], position: int, end: int) -> tuple[Decimal, int] | None:
    """The cents after whole euros: "twelve euros fifty", "3 euros 20", "5 pounds and 20 pence"."""
    if position + 1 >= len(found) or not re.fullmatch(r" (?:and )?", text[end : found[position + 1].start][:6]):
        return None
    number = found[position + 1]
    if not 0 < number.value < 100 or number.value != number.value.to_integral_value():
        return None
    minor = _patterns()["minor"].match(text, number.end)
    if minor is not None:
        return number.value / 100, minor.end()
    said_and = "and" in text[end : number.start]
    if number.value < 10 or said_and or _patterns()["after"].match(text, number.end):
        return None
    return (number.value / 100, number.end) if _patterns()["ends"].match(text, number.end) else None


def _sign(text: str, start: int) -> int:
    """Where a minus before `start` begins, or `start`."""
    minus = re.search(r"(?:(?<![0-9a-z)])-|(?<![a-z])(?:minus|negative) |负)$", text[max(0, start - 10) : start])
    return start - len(minus.group()) if minus else start


def _signed(text: str, start: int, end: int, begin: int, value: Decimal, name: str) -> Span:
    """The span of an amount with its minus, before the currency's sign or after it."""
    signed = max(begin, _sign(text, start))
    inner = re.match(r"[^0-9-]{1,12}-[0-9]", text[start:end])
    return Span(signed, end, "", Money(-value if inner or signed < start else value, name))


def _chinese_money(text: str, number: Counted, before: re.Match[str] | None, begin: int, locale: str) -> Span | None:
    """An amount whose unit is a Chinese one: 三百元, 二十五块五, 五毛, 五十欧分; None where it has none."""
    start = number.start - len(before.group()) if before else number.start
    coins = _coins(text, number)
    if coins is not None and before is None:
        return _signed(text, start, coins[1], begin, coins[0], coins[2])
    unit = _patterns()["chinese"].match(text, number.end)
    if unit is None:
        return None
    value, end, name = number.value, unit.end(), unit["name"] or ""
    value = _value(number, currencies.code(name, locale), locale)
    tail = None if unit["money"] or value != value.to_integral_value() else _patterns()["tail"].match(text, end)
    if tail is not None:
        value, end = value + _tail(tail), tail.end()
    also = _patterns()["also"].match(text, end)
    if also is not None:
        name, end = also["name"], also.end()
    if unit["kuai"] and not (unit["money"] or tail or also) and not _is_kuai(text, number, end):
        return None
    if before and not currencies.code(name, locale):
        name = before["name"]
    return _signed(text, start, end, begin, value, currencies.code(name, locale))


def _coins(text: str, number: Counted) -> tuple[Decimal, int, str] | None:
    """五毛, 八毛五 and 五十欧分: value, end, currency."""
    small = _patterns()["small"].match(text, number.end)
    if small is not None:
        return number.value / 100, small.end(), currencies.code(small.group(), "")
    coin = _patterns()["coins"].match(text, number.end)
    if coin is None or not 0 < number.value < 100:
        return None
    cents = _patterns()["cents"].match(text, coin.end())
    value, end = number.value / 10, coin.end()
    if cents is not None:
        value, end = value + _digit(cents["cents"]) / 100, cents.end()
    return value, end + (1 if text[end : end + 1] == "钱" else 0), ""


def _digit(said: str | None) -> Decimal:
    return Decimal(0 if said is None else _WORTH.get(said) or int(said))


def _tail(match: re.Match[str]) -> Decimal:
    """What 五 in 二十五块五 adds: tenths, or hundredths where two digits or 零 were said."""
    if match["two"]:
        return (amounts.chinese(match["two"]) or Decimal(int(match["two"]))) / 100 if match["two"] else Decimal(0)
    if match["half"]:
        return Decimal("0.5")
    hundredths = match["cents"] or match["hundredth"] or match["fen"]
    return _digit(match["tenths"] or match["one"]) / 10 + _digit(hundredths) / 100


def _is_kuai(text: str, number: Counted, end: int) -> bool:
    """Whether 块 counts money, not pieces of cake, and 一块 is not "together"."""
    paid = bool(re.search("[转付花还汇欠存取共差值赚赔]了?$", text[max(0, number.start - 2) : number.start]))
    after = text[end : end + 1]
    if number.value == 1:
        return paid and not re.match(r"[去来走儿过看玩]", after)
    return (
        paid
        or not ("\u4e00" <= after <= "\u9fff")
        or after in "打的给到以左吧了呢吗多过转付还从和就够可用作当发存是行进买上下我你他她请"
    )


def _bare(text: str, number: Counted) -> bool:
    """Whether a number stands alone: no percentage, ordinal, or part of a word or an address."""
    before, after = text[max(0, number.start - 8) : number.start], text[number.end : number.end + 16]
    if re.match(r" ?(?:%|％|°|percent|per cent|st\b|nd\b|rd\b|th\b)|[多几来余]|[号楼层路年月日点时度](?!码)", after):
        return False
    if re.search(r"(?:第|百分之|[#@_/\\])$", before):
        return False
    if number.script == "digits":
        return not re.search(r"[a-zß-ž][-']?$", before) and not re.match(r"[-/_@][a-z0-9]|[a-zß-ž]", after)
    if number.script == "words":
        return _bare_word(text, number, before)
    return _bare_chinese(text, number)


def _bare_word(text: str, number: Counted, before: str) -> bool:
    if re.match(
        r"[- ](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)(?![a-z])",
        text[number.end : number.end + 10],
    ):
        return False
    if text[number.start : number.end] != "one":
        return True
    # "One" is mostly a pronoun: "the last one", "one of them".
    if re.search(r"[a-z] $", before) and not re.search(r"(?:^| )(?:for|me|only|just|exactly) $", before):
        return False
    return not re.match(rf" (?:{_PRONOUN_AFTER})(?![a-z])|['’]", text[number.end : number.end + 12])


def _bare_chinese(text: str, number: Counted) -> bool:
    said = text[number.start : number.end]
    before, after = text[max(0, number.start - 1) : number.start], text[number.end : number.end + 1]
    alone = not any("\u4e00" <= neighbour <= "\u9fff" for neighbour in (before, after))
    if alone:
        return True
    if said in ("一", "十", "一一"):
        measured = after in _MEASURED and (said == "十" or after not in "个家次遍位间面") and bool(after)
        return measured or (before in tuple("转付给汇存取") and (not after or after in "给到"))
    if len(said) > 1 or after in tuple(_MEASURED):
        return True
    return before in tuple("转付汇存取") and (not after or after in "给到")

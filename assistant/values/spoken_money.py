"""Amounts of money in German, French, Spanish and Japanese words: "zwölf Euro fünfzig", "mil doscientos euros", 百ドル.

Adds to what `money` finds in any language by digits and signs. Knows no accounts and no rates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache

from assistant.values import amounts
from assistant.values.kinds import Money, Span
from assistant.values.spoken import Spoken, choice, japanese, numerals
from assistant.values.tongue import plain

_ANYWHERE = {
    "euro": "EUR",
    "euros": "EUR",
    "eur": "EUR",
    "€": "EUR",
    "$": "USD",
    "£": "GBP",
    "chf": "CHF",
    "usd": "USD",
}
_ANYWHERE |= {"yen": "JPY", "yens": "JPY", "yuan": "CNY", "yuans": "CNY", "yuanes": "CNY", "renminbi": "CNY"}
_CURRENCIES: dict[Spoken, dict[str, str]] = {
    "de": {"dollar": "USD", "us dollar": "USD", "pfund sterling": "GBP", "britische pfund": "GBP", "franken": "CHF"}
    | {"schweizer franken": "CHF", "zloty": "PLN", "schwedische kronen": "SEK", "tschechische kronen": "CZK"}
    | {"danische kronen": "DKK", "norwegische kronen": "NOK", "forint": "HUF", "rubel": "RUB", "lira": "TRY"},
    "fr": {"dollar": "USD", "dollars": "USD", "livre sterling": "GBP", "livres sterling": "GBP", "franc": "CHF"}
    | {"francs": "CHF", "franc suisse": "CHF", "francs suisses": "CHF", "zlotys": "PLN", "roubles": "RUB"},
    "es": {"dolar": "USD", "dolares": "USD", "libra esterlina": "GBP", "libras esterlinas": "GBP", "franco": "CHF"}
    | {"francos": "CHF", "francos suizos": "CHF", "franco suizo": "CHF", "pesos mexicanos": "MXN", "peso": ""}
    | {"pesos": "", "rublos": "RUB"},
    "ja": {
        "ユーロ": "EUR",
        "ドル": "USD",
        "米ドル": "USD",
        "ポンド": "GBP",
        "英ポンド": "GBP",
        "円": "JPY",
        "元": "CNY",
    }
    | {"人民元": "CNY", "ウォン": "KRW", "フラン": "CHF", "スイスフラン": "CHF", "セント": ""},
}
"""A word that names several currencies (pesos) or also a weight and a book (Pfund, livres) names none here."""
_MINOR: dict[Spoken, dict[str, str]] = {
    "de": {"cent": "", "cents": "", "eurocent": "EUR", "rappen": "CHF"},
    "fr": {"centime": "", "centimes": "", "cents": ""},
    "es": {"centimo": "", "centimos": "", "centavo": "", "centavos": ""},
    "ja": {},
}
_SCALES = {"tausend": 10**3, "mille": 10**3, "mil": 10**3, "million": 10**6, "millionen": 10**6, "millions": 10**6}
_SCALES |= {"millon": 10**6, "millones": 10**6}
_AND = {"de": "und", "fr": "et", "es": "(?:con|y)"}
_BEHIND = (
    r"(?=$| ?[^\w\s]| (?:an|auf|fur|von|zu|zum|bis|am|bitte|und|a|au|pour|de|du|par|sur|chez|avant|et|para|por|en|al"
    r"|con|y|que|antes|el|la|le|heute|morgen|demain|hoy|manana)(?![a-z]))"
)


@cache
def _pattern(language: Spoken) -> re.Pattern[str]:
    words = numerals(language)
    number = rf"(?:{amounts.DIGITS}|{words.below_million})"
    minor = choice(_MINOR[language])
    part = rf"(?: (?P<and>{_AND[language]} )?(?P<part>\d\d?|{words.below_hundred})(?: (?P<cents>{minor})|{_BEHIND}))"
    return re.compile(
        rf"(?<![a-z0-9.,ß-])(?P<minus>minus |moins |menos |-)?(?P<number>{number})"
        rf"(?:[- ](?P<scale>{choice(_SCALES)})(?: d[e'])?)?"
        rf"(?: ?(?P<minor>{minor})| ?(?P<name>{choice(_ANYWHERE | _CURRENCIES[language])}){part}?)(?![a-z0-9])"
    )


def find(text: str, language: Spoken) -> Iterator[Span]:
    """The amounts whose number or currency is said in words of `language`, in order, with offsets into `text`."""
    folded = amounts.fold_amounts(text)
    if language == "ja":
        yield from _japanese(text, folded)
        return
    for match in _pattern(language).finditer(plain(folded)):
        value = _value(match["number"], language)
        if value is None:
            continue
        value *= _SCALES[match["scale"]] if match["scale"] else 1
        if match["minor"]:
            value, name = value / 100, _MINOR[language][match["minor"]]
        else:
            name = (_ANYWHERE | _CURRENCIES[language])[match["name"].replace("-", " ")]
        end = match.end()
        if match["part"]:
            part = _value(match["part"], language)
            if part is None or not _is_part(match, part, value):
                end = match.end("name")
            else:
                value += part / 100
        yield Span(match.start(), end, text[match.start() : end], Money(-value if match["minus"] else value, name))


def _is_part(match: re.Match[str], part: Decimal, whole: Decimal) -> bool:
    """ "Zwölf Euro fünfzig" and "douze euros et 50 centimes", but never "zehn Euro und 20 Leute"."""
    joined = match["and"] is None or match["and"].startswith("con") or match["cents"] is not None
    return joined and whole == whole.to_integral_value() and (part >= 10 or match["cents"] is not None)


def _value(said: str, language: Spoken) -> Decimal | None:
    if said[0].isdigit():
        return amounts.digits(said, language, european=True)
    read = numerals(language).read(said)
    return None if read is None else Decimal(read)


@cache
def _japanese_pattern() -> re.Pattern[str]:
    digits = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,4}|[0-9]{1,12})(?:\.[0-9]{1,2})?"
    return re.compile(
        rf"(?<![0-9.,第])(?P<number>{digits}(?![0-9千百万])|[0-9〇零一二三四五六七八九十百千万]{{1,12}})"
        rf" ?(?P<name>{choice(_CURRENCIES['ja'])})"
    )


def _japanese(text: str, folded: str) -> Iterator[Span]:
    for match in _japanese_pattern().finditer(folded):
        said = match["number"].replace(",", "")
        value = Decimal(said) if said.replace(".", "").isascii() else japanese(said)
        if value is not None:
            money = Money(Decimal(value), _CURRENCIES["ja"][match["name"]])
            yield Span(match.start(), match.end(), text[match.start() : match.end()], money)


def merged(general: list[Span], spoken: list[Span]) -> list[Span]:
    """Both, in order; of two that overlap the longer, which knows more of the words."""
    chosen: list[Span] = []
    for span in sorted([*general, *spoken], key=lambda span: (span.start, -span.end)):
        if chosen and span.start < chosen[-1].end:
            if span.end - span.start > chosen[-1].end - chosen[-1].start:
                chosen[-1] = span
            continue
        chosen.append(span)
    return chosen

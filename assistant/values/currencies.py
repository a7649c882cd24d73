"""The currencies that people name, by sign, ISO 4217 code and word in both languages. Knows no amounts and no rates.

Where a word says less than a currency we say less: "cents", 块 and 毛 are money of a currency unsaid. ¥ and 元 are the
yuan (¥ the yen where the locale is Japanese), "$", "dollar" and "buck" the US dollar, "pound" sterling.
"""

from __future__ import annotations

import re

_SIGNS = (
    "€ EUR $ USD us$ USD a$ AUD au$ AUD c$ CAD ca$ CAD hk$ HKD nt$ TWD nz$ NZD s$ SGD r$ BRL £ GBP ¥ CNY ₹ INR ₩ KRW "
    "₽ RUB ₺ TRY ₪ ILS ฿ THB ₫ VND"
).split()
SIGNS = dict(zip(_SIGNS[::2], _SIGNS[1::2], strict=True))
# Codes that are English words or file endings (TRY, ALL, CUP, PHP) are left out: their currencies have other names.
CODES = {
    code: code.upper()
    for code in (
        "eur usd gbp chf cny jpy hkd twd sgd aud cad nzd inr krw rub pln czk sek nok dkk huf thb vnd myr aed ils brl"
    ).split()
} | {"rmb": "CNY"}
_ENGLISH = {
    "EUR": "euro|euros",
    "USD": "dollar|dollars|us dollar|us dollars|american dollar|american dollars|buck|bucks",
    "AUD": "australian dollar|australian dollars",
    "CAD": "canadian dollar|canadian dollars",
    "HKD": "hong kong dollar|hong kong dollars",
    "SGD": "singapore dollar|singapore dollars",
    "NZD": "new zealand dollar|new zealand dollars",
    "TWD": "taiwan dollar|taiwan dollars",
    "GBP": "pound|pounds|british pound|british pounds|pound sterling|pounds sterling|quid|sterling",
    "CHF": "franc|francs|swiss franc|swiss francs",
    "CNY": "yuan|chinese yuan|renminbi",
    "JPY": "yen|japanese yen",
    "INR": "rupee|rupees|indian rupee|indian rupees",
    "KRW": "korean won|south korean won",
    "RUB": "ruble|rubles|rouble|roubles|russian rubles|russian roubles",
    "TRY": "lira|turkish lira",
    "PLN": "zloty|zlotys|polish zloty|polish zlotys|złoty|złotych|zł",
    "SEK": "swedish krona|swedish kronor|swedish crowns",
    "NOK": "norwegian krone|norwegian kroner|norwegian crowns",
    "DKK": "danish krone|danish kroner|danish crowns",
    "CZK": "koruna|korunas|czech koruna|czech korunas|czech crowns|kč",
    "HUF": "forint|forints|hungarian forints",
    "THB": "baht|thai baht",
    "ILS": "shekel|shekels",
    "AED": "dirham|dirhams",
    "": "kuai",
}
_ENGLISH_MINOR = {
    "EUR": "eurocent|eurocents|euro cent|euro cents",
    "USD": "us cent|us cents",
    "GBP": "pence|penny|pennies",
    "CHF": "rappen",
    "": "cent|cents|ct",
}
_CHINESE = {
    "EUR": "欧元|欧",
    "USD": "美元|美金|美刀|刀",
    "GBP": "英镑|镑",
    "CHF": "瑞士法郎|瑞郎|法郎",
    "CNY": "人民币|元|圆",
    "JPY": "日元|日圆|日币|円",
    "HKD": "港币|港元|港纸",
    "TWD": "新台币|台币",
    "CAD": "加元|加币|加拿大元",
    "AUD": "澳元|澳币|澳大利亚元",
    "SGD": "新加坡元|新元|新币|坡币",
    "NZD": "纽元|纽币|新西兰元",
    "KRW": "韩元|韩币",
    "RUB": "卢布",
    "INR": "卢比",
    "THB": "泰铢",
    "VND": "越南盾",
    "SEK": "瑞典克朗",
    "NOK": "挪威克朗",
    "DKK": "丹麦克朗",
    "CZK": "捷克克朗",
    "TRY": "里拉",
    "PLN": "兹罗提",
    "ILS": "谢克尔",
    "MYR": "令吉|马币",
}
_CHINESE_MINOR = {"EUR": "欧分", "USD": "美分", "GBP": "便士", "": "分钱"}
# What begins another word (欧洲, 刀子, 元旦) or weighs flour is no money.
_ELSEWHERE = {"欧": "(?![洲盟美文式亚冠阳拉姆])", "刀": "(?![叉子具片法客])", "元": "(?![旦素首帅宵])"}
_ELSEWHERE |= {"pound": "(?! of )", "pounds": "(?! of )"}


def _words(*tables: dict[str, str]) -> dict[str, str]:
    return {word: currency for table in tables for currency, words in table.items() for word in words.split("|")}


def _pattern(words: dict[str, str]) -> str:
    """Its words as alternatives, the longer ones first: "us dollars" before "us"."""
    return "|".join(re.escape(word) + _ELSEWHERE.get(word, "") for word in sorted(words, key=len, reverse=True))


_NAMES = SIGNS | CODES | _words(_ENGLISH, _ENGLISH_MINOR, _CHINESE, _CHINESE_MINOR)
_WORD = rf"(?:{_pattern(_words(_ENGLISH) | CODES)})(?![a-z0-9])"
ENGLISH = rf"(?:{_WORD}|[€£₹₩₽₺₪฿₫¥$](?! ?[0-9]))"
ENGLISH_MINOR = rf"(?:(?:{_pattern(_words(_ENGLISH_MINOR))})(?![a-z0-9])|¢)"
CHINESE = rf"(?:{_pattern(_words(_CHINESE))})"
CHINESE_MINOR = rf"(?:{_pattern(_words(_CHINESE_MINOR))})"
BEFORE = rf"(?:(?<![a-z])(?:{_pattern(CODES)}|{_pattern(SIGNS)})|[€£¥$]|{CHINESE})"


def code(said: str, locale: str) -> str:
    """The ISO 4217 code of a sign, code or word that the patterns above matched; "" where it names no currency."""
    if said == "¥" and locale.startswith("ja"):
        return "JPY"
    return _NAMES.get(said, "")

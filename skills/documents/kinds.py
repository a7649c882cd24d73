"""What kind of answer a question wants (a number, a date, a phone number …) and whether a line has one. Rules only."""

from __future__ import annotations

import re
from typing import Literal

from .terms import fold

Kind = Literal["", "number", "phone", "email", "web", "money"]

_WANTS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("email", re.compile(r"\be-?mail\b|邮箱|电子邮件")),
    ("phone", re.compile(r"\b(?:phone|telephone|mobile|hotline|fax)\b|电话|手机号|热线|传真")),
    ("web", re.compile(r"\b(?:website|web site|url|web address)\b|网址|网站")),
    (
        "money",
        re.compile(
            r"\bhow much\b(?! (?:time|longer|sugar|flour|water|salt))"
            r"|\b(?:price|cost|fee|rent|salary|deposit|premium)\b|多少钱|租金|价格|费用|工资|押金|保费|金额"
        ),
    ),
    (
        "number",
        re.compile(
            r"\b(?:how (?:many|much|long|old|often|far|big|large|tall|high|heavy|soon)|when|what (?:date|day|year|time)"
            r"|which (?:date|day|year|month)|deadline|expir\w*|percent\w*|rate|number)\b"
            r"|多少|几[个天年月号点次份人岁周]|什么时候|何时|哪[一]?[天年月]|多久|多长|多大|多高|日期|截止|比例|利率|号码|编号"
        ),
    ),
)
_NUMERAL = (
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|ninety"
    r"|hundred|thousand|half|once|twice|first|second|third|daily|weekly|monthly|quarterly|yearly|annually|every|none|zero"
    r"|january|february|march|april|may|june|july|august|september|october|november|december|today|tomorrow"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b|[零〇一二两三四五六七八九十百千万半每]"
)
_HAS: dict[Kind, re.Pattern[str]] = {
    "number": re.compile(_NUMERAL),
    "money": re.compile(_NUMERAL),
    "phone": re.compile(r"(?:\+?\d[\d ()/.-]{5,}\d)"),
    "email": re.compile(r"\S@\S+\.\S"),
    "web": re.compile(r"https?://|www\.|\b[a-z0-9-]+\.(?:com|org|net|cn|de|io|eu|co)\b"),
}


def wanted(question: str) -> Kind:
    """The kind of its answer; "" where it can be any."""
    folded = fold(question)
    return next((kind for kind, pattern in _WANTS if pattern.search(folded)), "")


def has(kind: Kind, text: str) -> bool:
    """Whether the text holds something of the kind."""
    return not kind or bool(_HAS[kind].search(fold(text)))

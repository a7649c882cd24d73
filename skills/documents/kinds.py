"""What kind of answer a question wants (a length of time, a date, money …) and whether a line has one. Rules only."""

from __future__ import annotations

import re
from typing import Literal

from .terms import fold

Kind = Literal["", "duration", "date", "money", "number", "phone", "email", "web"]

_WANTS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("email", re.compile(r"\be-?mail address|\be-?mail of\b|邮箱|电子邮件地址")),
    (
        "phone",
        re.compile(
            r"\b(?:phone|telephone|mobile|hotline|fax|call)\b.*\bnumber|\b(?:phone|tel)\b|电话|手机号|热线|传真"
        ),
    ),
    ("web", re.compile(r"\b(?:website|web site|url|web address)\b|网址|网站")),
    (
        "duration",
        re.compile(
            r"\bhow (?:long|far (?:ahead|in advance)|soon|much (?:time|notice))\b|\b(?:notice period|duration)\b"
            r"|\bhow many (?:\w+ ){0,2}(?:minutes|hours|days|weeks|months|years)\b"
            r"|多久|多长时间|几个?(?:分钟|小时|天|周|星期|礼拜|月|年)(?!份)|工期|期限多长"
        ),
    ),
    (
        "date",
        re.compile(
            r"\b(?:when|(?:what|which) (?:\w+ )?(?:date|day|year|time|month)|date|deadline|expir\w*)\b"
            r"|什么时候|啥时候|何时|哪一?[天年月]|几[月号点]|日期|截止|星期几|周几|什么时间"
        ),
    ),
    (
        "money",
        re.compile(
            r"\bhow much\b(?! (?:sugar|flour|water|salt|butter|milk|rice|oil|memory|space|weight))"
            r"|\b(?:price|cost|costs|fee|salary|premium|wage)\b"
            r"|多少[钱元块欧]|多少.{0,3}费|价格|费用|工资|押金|保费|金额|花多少|花了多少|要多少钱|租金"
        ),
    ),
    (
        "number",
        re.compile(
            r"\bhow (?:many|old|often|big|large|tall|high|heavy|deep|wide|fast|hot)\b"
            r"|\b(?:percent\w*|rate|number|score|level)\b|多少|几[个次份人岁位]|多大|多高|多重|比例|利率|号码|编号"
        ),
    ),
)
_NUMERAL = (
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty"
    r"|ninety|hundred|thousand|half|once|twice|first|second|third|none|zero)\b|[零〇一二两三四五六七八九十百千万半]"
)
_UNIT = (
    r"(?:second|minute|min|hour|hr|day|night|week|fortnight|month|quarter|year|h\b)s?"
    r"|秒|分钟?|小时|钟头|天|日|夜|周|星期|个月|月|年"
)
_MONTH = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?"
)
_HAS: dict[Kind, re.Pattern[str]] = {
    "duration": re.compile(rf"(?:{_NUMERAL})[ -]*(?:to|-|–|至|到)?[ -]*(?:\w+ )?(?:{_UNIT})"),
    "date": re.compile(
        rf"\b(?:{_MONTH})\b|\d{{1,4}}[-./]\d{{1,2}}(?:[-./]\d{{1,4}})?\b|\d{{1,2}}[:.]\d{{2}}|\b\d{{4}}\b"
        r"|\d ?[ap]\.?m\b"
        r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|[\d一二三四五六七八九十]{1,3}[月日号点]|(?:周|星期)[一二三四五六日天]"
        r"|\b\d{1,2}(?:st|nd|rd|th)\b|\b(?:daily|weekly|monthly|yearly|annually|every)\b|每[天周月年日]"
    ),
    "money": re.compile(
        r"\d|[零〇一二两三四五六七八九十百千万]+[块元欧]|\b(?:free|hundred|thousand|euros?|dollars?)\b|免费"
    ),
    "number": re.compile(_NUMERAL),
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

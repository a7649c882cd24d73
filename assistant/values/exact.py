"""Account numbers, addresses, web hosts and amounts in a text, each in one form that can be compared. Pure.

For the gate: two values are the same or they are not. No part of one is ever found in another, and a letter that only
looks like another is another.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from assistant.values.iban import parse_iban
from assistant.values.kinds import Money, Number
from assistant.values.money import find_money, find_numbers

_BREAK = r"[\s.\-\u00a0\u2000-\u200b\u2011\u202f\u2060]"
_PART = _BREAK + "?"
_GROUPED = rf"[A-Z]{{2}}\d{{2}}(?:{_PART}[A-Z0-9]{{4}}){{2,7}}(?:{_PART}[A-Z0-9]{{1,3}})?"
_ACCOUNT = re.compile(
    rf"(?<![A-Za-z0-9])(?:{_GROUPED}|[A-Z]{{2}}\d{{2}}[A-Z0-9]{{10,30}})(?![A-Za-z0-9])", re.ASCII | re.IGNORECASE
)
_CARD = re.compile(r"(?<![\d.,])\d(?:[ -]?\d){15,18}(?![\d.,]\d|\d)", re.ASCII)
"""Bank accounts without an IBAN, as China has them: 16 to 19 digits (ISO/IEC 7812)."""
_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""Scripts that set no space between a name and the words around it: 发给lan@example.cn谢谢."""
_LETTER = rf"[^\W{_CJK}]"
_ADDRESS = re.compile(
    rf"(?<!{_LETTER})(?<![.+-])(?:{_LETTER}|[.+-])++@(?:{_LETTER}|-)++(?:\.(?:{_LETTER}|-)++)+"
    rf"|(?<![\w.+-])[\w.+-]++(?:(?<=[{_CJK}])@|@(?=[{_CJK}]))[\w-]++(?:\.[\w-]++)+"
)
_SCHEME = r"[a-z][a-z0-9+.-]{0,20}://"
_URL = re.compile(rf"(?:{_SCHEME}|www\.)[^\s<>\"'，。；、）)\]]+", re.IGNORECASE)
_USERINFO = re.compile(rf"{_SCHEME}[^\s<>\"/?#\\，。；、）]*@[^\s<>\"，。；、）]+", re.IGNORECASE)
"""A web address whose host stands behind an @, however odd the marks before it."""
_PATH = r"(?:/[^\s<>\"'，。；、）)\]]*)?"
_DOMAIN = re.compile(
    rf"(?<![@\w.-])(?:[\w-]++\.)+(?:中国|公司)(?![\w-]){_PATH}"
    rf"|(?<!{_LETTER})(?<![@.-])(?:(?:{_LETTER}|-)++\.)+(?:com|net|org|info|biz|io|co|app|dev|me|xyz|top|site|online|shop"
    rf"|club|ru|cn|hk|tw|jp|de|at|ch|fr|es|it|nl|uk|eu|us|gov|edu|link|click|live|tk)"
    rf"(?![\w.-]{{0,64}}@)(?!{_LETTER}|-){_PATH}",
    re.IGNORECASE,
)
_GAP = "[ '’\u00a0\u202f]"
_NUMBER = re.compile(
    rf"(?<![\w.,:/-])(?:\d{{1,3}}(?:{_GAP}\d{{3}})+(?:[.,]\d+)?|\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?"
    r"|\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:[.,]\d+)?)(?![%％]|[.,:/-]?\d|[A-Za-z])"
)
_MONEY_NEAR = re.compile(
    rf"(?<![\d.,])(?<!\d{_GAP})(\d+(?:[.,]\d{{3}})*(?:[.,]\d{{1,2}})?)\s*(?:[€$£¥元块]|[A-Z]{{3}}\b)"
    rf"|[€$£¥]\s*(\d[\d.,]*\d|\d)(?!{_GAP}\d{{3}})"
)
_PRONOUNS = frozenset("i me my mine you your yours we us our he him his she her they them their am are is".split())
_PRONOUNS_ZH = re.compile("[我你您他她它]们?")
_DIGIT = re.compile(r"\d")
_END = ".,;:!?。，；：！？、)]}>»”’\"'"
_SCRIPTS = re.compile(r"(?<=[一-鿿])(?=[a-z0-9])|(?<=[a-z0-9])(?=[一-鿿])")
_SPOKEN = 1000


@dataclass(frozen=True)
class Exact:
    """What stands in a text, comparable."""

    accounts: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    amounts: frozenset[Decimal] = frozenset()
    words: str = field(default="", repr=False)
    """The whole text folded, between spaces: for whole words to be looked for."""

    def says(self, text: str) -> bool:
        """Whether the text stands in it as whole words, in this order, whoever says I or you.

        Chinese has no spaces: there it need only stand in it.
        """
        wanted = fold(text)
        if not wanted:
            return False
        if _is_han(wanted):
            bare = _PRONOUNS_ZH.sub("", wanted)
            return _within(wanted, self.words) or bool(bare and _within(bare, _PRONOUNS_ZH.sub("", self.words)))
        bare = _impersonal(wanted)
        return f" {wanted} " in self.words or bool(bare and f" {bare} " in f" {_impersonal(self.words)} ")


def exact(text: str, *, spoken: str = "") -> Exact:
    """Everything comparable in `text`. With `spoken`, a locale, also amounts in words: "fifty euros", 五十块.

    Those only in the first of it: each takes a while to read, and who names a sum in words does not write pages first.
    """
    urls: set[str] = set()
    addresses = accounts = frozenset[str]()
    amounts: set[Decimal] = set()
    rest = text
    if "." in text or ":" in text:
        urls = set(_urls(text))
        rest = _URL.sub(" ", text)
    if "@" in rest:
        addresses = frozenset(address(one) for one in _ADDRESS.findall(rest))
        rest = _ADDRESS.sub(" ", rest)
    if "." in rest:
        urls |= {url(one) for one in _DOMAIN.findall(rest)}
    if _DIGIT.search(rest):
        accounts = frozenset(_accounts(rest))
        rest = _CARD.sub(" ", _without_accounts(rest))
        amounts = set(_amounts(rest))
    if spoken:
        first = rest[:_SPOKEN]
        amounts |= {
            one.value.amount.normalize() for one in find_money(first, locale=spoken) if isinstance(one.value, Money)
        }
        amounts |= {
            one.value.value.normalize() for one in find_numbers(first, locale=spoken) if isinstance(one.value, Number)
        }
    hosts = frozenset(host(one) for one in urls)
    return Exact(accounts, addresses, frozenset(urls), hosts, frozenset(amounts), f" {fold(text)} ")


def account(text: str) -> str | None:
    """The account number that `text` is and nothing else; whether its check digits are right is `parse_iban`'s."""
    bare = re.sub(r"[\s-]", "", text).upper()
    whole = re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}|\d{16,19}", bare, re.ASCII)
    return bare if whole else None


def address(text: str) -> str:
    """A mail address in one form. Letters are not made alike: а (Cyrillic) is not a."""
    return unicodedata.normalize("NFC", text).casefold().strip(_END)


def url(text: str) -> str:
    """A web address without its scheme, `www.` and end marks."""
    bare = re.sub(r"^[a-z][a-z0-9+.-]*://", "", text.strip().rstrip(_END), flags=re.IGNORECASE)
    name = re.split(r"[/?#\\]", bare, maxsplit=1)[0]  # https://evil.example?@bank.example leads to evil.example
    path = bare[len(name) :]
    name = name.rpartition("@")[2]  # https://bank.example@evil.example too
    return name.casefold().removeprefix("www.") + (path if path != "/" else "")


def host(text: str) -> str:
    """The host of a web address."""
    return re.split(r"[/?#:\\]", url(text), maxsplit=1)[0]


def amount(text: object) -> Decimal | None:
    """A number as it is written in a call: "25.00", 25."""
    try:
        found = Decimal(str(text))
        return found.normalize() if found.is_finite() else None
    except ArithmeticError:  # no number, or one beyond all measure
        return None


def fold(text: str) -> str:
    """Words in small letters with single spaces, without punctuation; where Chinese meets Latin, a word ends."""
    bare = re.sub(r"[^\w@]+", " ", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(_SCRIPTS.sub(" ", bare).split())


def _urls(text: str) -> Iterator[str]:
    for found in _URL.findall(text):
        yield url(found)
        if cut := re.match(rf"({_SCHEME}|www\.)([^/?#\\{_CJK}]+)[{_CJK}]", found, re.IGNORECASE):
            yield url(cut[1] + cut[2])  # 打开http://example.org看看; the whole stays as well
    yield from (url(found) for found in _USERINFO.findall(text))


def _accounts(text: str) -> Iterator[str]:
    yield from filter(None, map(_account, _ACCOUNT.findall(text)))
    for found in _CARD.findall(_without_accounts(text)):
        yield re.sub(r"\D", "", found)


def _account(found: str) -> str | None:
    """What looks like an account: with right check digits however it is written, else in capitals and groups alone."""
    groups = re.split(_BREAK, found)
    shorter = ("".join(groups[:count]) for count in range(len(groups), 0, -1))  # words may follow: "… 7034 EUR"
    valid = next(filter(None, map(parse_iban, shorter)), None)
    return valid or (found.replace(" ", "") if re.fullmatch(r"[A-Z0-9 ]+", found) else None)


def _without_accounts(text: str) -> str:
    return _ACCOUNT.sub(lambda found: " " if _account(found[0]) else found[0], text)


def _amounts(text: str) -> Iterator[Decimal]:
    found = [one for pair in _MONEY_NEAR.findall(text) for one in pair if one] + _NUMBER.findall(text)
    for said in found:
        bare = re.sub(_GAP, "", said)
        # 1.200,50 and 1,200.50: the last mark parts the cents where two digits or fewer follow.
        last = max(bare.rfind("."), bare.rfind(","))
        cents = last >= 0 and len(bare) - last - 1 <= 2
        whole = re.sub(r"[.,]", "", bare[:last]) if cents else re.sub(r"[.,]", "", bare)
        read = amount(f"{whole}.{bare[last + 1 :]}" if cents else whole)
        if read is not None:
            yield read
        if last >= 0 and not cents and bare.count(".") == 1 and "," not in bare and (other := amount(bare)) is not None:
            yield other  # 1.125 may be a number with three decimals


def _impersonal(words: str) -> str:
    """Without pronouns: "tell him you've seen it" asks to say "I've seen it"."""
    return " ".join(word for word in words.split() if word not in _PRONOUNS)


def _within(wanted: str, words: str) -> bool:
    """Whether it stands in words without spaces, but no number in a longer one: 3号 is not in 13号."""
    before = r"(?<![a-z0-9])" if re.match(r"[a-z0-9]", wanted) else ""
    after = r"(?![a-z0-9])" if re.search(r"[a-z0-9]$", wanted) else ""
    return re.search(before + re.escape(wanted) + after, words) is not None


def _is_han(text: str) -> bool:
    return any("\u3400" <= letter <= "\u9fff" for letter in text)

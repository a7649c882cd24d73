"""Account numbers, addresses, web hosts and amounts in a text, each in one form that can be compared. Pure.

For the gate: two values are the same or they are not. No part of one is ever found in another, and a letter that only
looks like another is another.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from assistant.values.iban import parse_iban
from assistant.values.kinds import Money, Number
from assistant.values.money import find_money, find_numbers

_GROUPED = r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?"
_ACCOUNT = re.compile(rf"(?<![A-Za-z0-9])(?:{_GROUPED}|[A-Z]{{2}}\d{{2}}[A-Z0-9]{{10,30}})(?![A-Za-z0-9])", re.ASCII)
_CARD = re.compile(r"(?<![\d.,])\d(?:[ -]?\d){14,18}(?![\d.,]\d|\d)", re.ASCII)
"""Bank accounts without an IBAN, as China has them: 16 to 19 digits (ISO/IEC 7812)."""
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)[^\s<>\"'，。；、）)\]]+", re.IGNORECASE)
_DOMAIN = re.compile(
    r"(?<![@\w.-])(?:[\w-]+\.)+(?:com|net|org|info|biz|io|co|app|dev|me|xyz|top|site|online|shop|club|ru|cn|hk|tw|jp|de|at|ch"
    r"|fr|es|it|nl|uk|eu|us|gov|edu|link|click|live|tk|中国|公司)(?![\w.-]*@)(?![\w-])(?:/[^\s<>\"'，。；、）)\]]*)?",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?<![\w.,:/-])(?:\d{1,3}(?:[ ,'’]\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:[.,]\d+)?)"
    r"(?![%％]|[.,:/-]?\d|[A-Za-z])"
)
_MONEY_NEAR = re.compile(
    r"(?<![\d.,])(\d+(?:[.,]\d{3})*(?:[.,]\d{1,2})?)\s*(?:[€$£¥元块]|[A-Z]{3}\b)|[€$£¥]\s*(\d[\d.,]*\d|\d)"
)
_PRONOUNS = frozenset("i me my mine you your yours we us our he him his she her they them their am are is".split())
_PRONOUNS_ZH = re.compile("[我你您他她它]们?")
_END = ".,;:!?。，；：！？、)]}>»”’\"'"
_SCRIPTS = re.compile(r"(?<=[一-鿿])(?=[a-z0-9])|(?<=[a-z0-9])(?=[一-鿿])")
_HAN_BEFORE = re.compile(r"^[一-鿿]+(?=[a-z0-9][\w.+-]*@)", re.IGNORECASE)
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

    def __or__(self, other: Exact) -> Exact:
        """What stands in either of two texts."""
        return Exact(
            self.accounts | other.accounts,
            self.addresses | other.addresses,
            self.urls | other.urls,
            self.hosts | other.hosts,
            self.amounts | other.amounts,
            f"{self.words}\n{other.words}",
        )

    def says(self, text: str) -> bool:
        """Whether the text stands in it as whole words, in this order, whoever says I or you.

        Chinese has no spaces: there it need only stand in it.
        """
        wanted = fold(text)
        if not wanted:
            return False
        if _is_han(wanted):
            return wanted in self.words or _PRONOUNS_ZH.sub("", wanted) in _PRONOUNS_ZH.sub("", self.words)
        return f" {wanted} " in self.words or f" {_impersonal(wanted)} " in f" {_impersonal(self.words)} "


def exact(text: str, *, spoken: str = "") -> Exact:
    """Everything comparable in `text`. With `spoken`, a locale, also amounts in words: "fifty euros", 五十块.

    Those only in the first of it: each takes a while to read, and who names a sum in words does not write pages first.
    """
    urls = {url(one) for one in _URL.findall(text)}
    rest = _URL.sub(" ", text)
    written = _ADDRESS.findall(rest)  # Chinese has no space before: 邮箱是a@b.cn
    addresses = frozenset(address(one) for one in (*written, *(_HAN_BEFORE.sub("", one) for one in written)))
    rest = _ADDRESS.sub(" ", rest)
    urls |= {url(one) for one in _DOMAIN.findall(rest)}
    accounts = frozenset(_accounts(rest))
    rest = _CARD.sub(" ", _ACCOUNT.sub(" ", rest))
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
    name, slash, path = bare.partition("/")
    name = name.rpartition("@")[2]  # https://bank.example@evil.example leads to evil.example
    return name.casefold().removeprefix("www.") + (slash + path if path else "")


def host(text: str) -> str:
    """The host of a web address."""
    return re.split(r"[/?#:]", url(text), maxsplit=1)[0]


def amount(text: object) -> Decimal | None:
    """A number as it is written in a call: "25.00", 25."""
    try:
        found = Decimal(str(text))
    except InvalidOperation:
        return None
    return found.normalize() if found.is_finite() else None


def fold(text: str) -> str:
    """Words in small letters with single spaces, without punctuation; where Chinese meets Latin, a word ends."""
    bare = re.sub(r"[^\w@]+", " ", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(_SCRIPTS.sub(" ", bare).split())


def _accounts(text: str) -> Iterator[str]:
    for found in _ACCOUNT.findall(text):
        bare = found.replace(" ", "")
        shorter = found.rpartition(" ")[0].replace(" ", "")
        yield shorter if parse_iban(bare) is None and parse_iban(shorter) else bare
    for found in _CARD.findall(_ACCOUNT.sub(" ", text)):
        yield re.sub(r"\D", "", found)


def _amounts(text: str) -> Iterator[Decimal]:
    found = [one for pair in _MONEY_NEAR.findall(text) for one in pair if one] + _NUMBER.findall(text)
    for said in found:
        bare = re.sub(r"[ '’]", "", said)
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


def _is_han(text: str) -> bool:
    return any("\u3400" <= letter <= "\u9fff" for letter in text)

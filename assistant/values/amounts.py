"""Numbers as they are written and spoken, read exactly: digits with either separators, words, Chinese numerals.

Knows nothing of what they count. A text is folded first (`fold_amounts`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from assistant.values.atoms import fold
from assistant.values.numbers import ENGLISH as WORDS

DECIMAL_POINT = ("en", "zh", "ja", "ko", "th", "he")
"""Languages that write 1.50; the others write 1,50 and may write 1.200 for twelve hundred."""
_SIMPLIFIED = str.maketrans("塊萬億圓歐鎊錢負幣點兩−", "块万亿圆欧镑钱负币点两-")
_DIGITS = r"[0-9]{1,3}(?:[,.'’ \u00a0\u202f][0-9]{3}){1,4}(?:[.,][0-9]{1,2})?(?![0-9])|[0-9]{1,15}(?:[.,][0-9]{1,6})?"
DIGITS = rf"(?:{_DIGITS})"
_SCALES = {
    "hundred": 100,
    "thousand": 1000,
    "grand": 1000,
    "k": 1000,
    "million": 10**6,
    "mn": 10**6,
    "m": 10**6,
    "billion": 10**9,
    "bn": 10**9,
}
SCALE = r"(?: ?(?:hundred|thousand|grand|million|billion)s?|k|bn|mn|m)(?![a-z])"
_WORD = (
    rf"(?:{'|'.join(sorted(WORDS, key=len, reverse=True))}|an?|half|couple|dozen|hundred|thousand|grand|million|billion"
    r"|and|point|oh|of)"
)
ENGLISH_RUN = rf"(?<![a-z0-9'’]){_WORD}(?:[ -]{_WORD}){{0,16}}(?![a-z0-9'’])"
_CN = "零〇一二两俩三四五六七八九"
CHINESE_RUN = (
    rf"(?:[0-9]{{1,9}}(?:\.[0-9]{{1,4}})?[百千万亿]|[{_CN}十])[{_CN}十百千万亿0-9]{{0,20}}"
    rf"(?:点[零〇一二三四五六七八九]{{1,6}}[百千万亿]{{0,2}})?"
)
_CN_DIGITS = {digit: number for number, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "俩": 2}
_CN_POWERS = {"十": 10, "百": 100, "千": 1000}
_CN_GROUPS = {"万": 10**4, "亿": 10**8}
_CN_GROUP = re.compile(r"[^万亿]*[万亿]?")


@dataclass(frozen=True, slots=True)
class Reading:
    """A number read from the first `tokens` of several words."""

    value: Decimal
    tokens: int
    pair: bool = False


def fold_amounts(text: str) -> str:
    """Lower case, half width and simplified as for times; exactly as long as `text`. Narrow spaces stay apart."""
    folded = fold(text).translate(_SIMPLIFIED)
    if "\u00a0" not in text and "\u202f" not in text:
        return folded
    return "".join(was if was in "\u00a0\u202f" else now for was, now in zip(text, folded, strict=True))


def digits(text: str, locale: str = "en", *, european: bool = False) -> Decimal | None:
    """`"1,200.50"`, `"1.200,50"`, `"25,5"` → the number; None where the separators make no sense.

    Three digits after one comma are thousands; after one dot they are so only where `european` (a euro sign) or the
    locale writes decimal commas.
    """
    plain = re.sub(r"['’ \u00a0\u202f]", "", text)
    dots, commas = plain.count("."), plain.count(",")
    if dots and commas:
        decimal = max(plain.rfind("."), plain.rfind(","))
        whole, part = re.sub(r"[.,]", "", plain[:decimal]), plain[decimal + 1 :]
        if plain.count(plain[decimal]) > 1:
            return None
        return Decimal(f"{whole}.{part}")
    mark = "." if dots else ","
    if dots + commas == 0:
        return Decimal(plain)
    whole, _, part = plain.partition(mark)
    thousands = len(part) == 3 and whole != "0" and len(whole) <= 3
    if dots + commas > 1:
        groups = plain.split(mark)
        return Decimal("".join(groups)) if all(len(group) == 3 for group in groups[1:]) else None
    if thousands and (mark == "," or european or locale[:2] not in DECIMAL_POINT):
        return Decimal(whole + part)
    return Decimal(f"{whole}.{part}")


def scaled(value: Decimal, scale: str | None) -> Decimal:
    """`value` times a word such as "thousand" or "k"."""
    scale = (scale or "").strip()
    return value * _SCALES.get(scale, _SCALES.get(scale.removesuffix("s"), 1))


def english(words: Sequence[str]) -> Reading | None:
    """The longest number at the beginning of some words: "two hundred and fifty", "twenty-five fifty" (a pair: 25.50).

    "Three fifty" is 3.50 here, never 350: that is said "three hundred fifty".
    """
    start = _whole(words, 0)
    if start is None:
        return None
    value, position = start
    if position < len(words) and words[position] == "point":
        fraction = _point(words, position + 1)
        if fraction is not None:
            part, position = fraction
            value += part
            value, position = _scale(words, value, position)
            return Reading(value, position)
    if list(words[position : position + 3]) == ["and", "a", "half"]:
        value, position = _scale(words, value + Decimal("0.5"), position + 3)
        return Reading(value, position)
    hundredths = _hundredths(words, position) if value < 1000 else None
    if hundredths is not None:
        part, position = hundredths
        return Reading(value + part, position, pair=True)
    return Reading(value, position)


def _small(words: Sequence[str], position: int) -> tuple[int, int] | None:
    """A number below a hundred."""
    if position >= len(words) or words[position] not in WORDS:
        return None
    number = WORDS[words[position]]
    position += 1
    unit = WORDS.get(words[position]) if position < len(words) else None
    if number >= 20 and unit is not None and 1 <= unit <= 9:
        return number + unit, position + 1
    return number, position


def _leading(words: Sequence[str], position: int) -> tuple[Decimal, int] | None:
    """What may stand before a scale without being a number word: "a hundred", "half a million", "a couple of"."""
    rest = list(words[position : position + 4])
    for said, value in ((["half", "a"], "0.5"), (["a", "couple", "of"], "2"), (["a"], "1"), (["an"], "1")):
        after = rest[len(said) : len(said) + 1]
        if rest[: len(said)] == said and after and (after[0] in _SCALES or after[0] == "dozen"):
            return Decimal(value), position + len(said)
    return None


def _whole(words: Sequence[str], position: int) -> tuple[Decimal, int] | None:
    """A whole number with hundreds, thousands and so on, each smaller than the one before."""
    total, limit, found = Decimal(0), 10**12, False
    while True:
        group = _hundreds(words, position)
        if group is None:
            break
        value, after = group
        factor = 1
        if after < len(words) and words[after] in _SCALES and words[after] != "hundred":
            factor = _SCALES[words[after]]
            after += 1
        if value * factor >= limit:
            break
        total, position, found = total + value * factor, after, True
        if factor == 1:
            break
        limit = factor
        if position + 1 < len(words) and words[position] == "and" and _small(words, position + 1):
            position += 1
    if found and words[position - 1] == "and":
        position -= 1
    return (total, position) if found else None


def _hundreds(words: Sequence[str], position: int) -> tuple[Decimal, int] | None:
    leading = _leading(words, position)
    if leading is not None:
        value, after = leading
        if words[after] == "dozen":
            return value * 12, after + 1
        if words[after] != "hundred":
            return value, after
    else:
        small = _small(words, position)
        if small is None:
            return None
        value, after = Decimal(small[0]), small[1]
        if after >= len(words) or words[after] != "hundred" or value == 0:
            return value, after
    value *= 100
    after += 1
    joined = after + 1 if after < len(words) and words[after] == "and" else after
    rest = _small(words, joined)
    if rest is not None and rest[0] > 0:
        return value + rest[0], rest[1]
    return value, after


def _point(words: Sequence[str], position: int) -> tuple[Decimal, int] | None:
    first = position
    fraction = ""
    while position < len(words) and len(fraction) < 6:
        word = "zero" if words[position] == "oh" else words[position]
        number = WORDS.get(word)
        if number is None or (number > 9 and position != first):
            break
        position += 1
        fraction += str(number)
        if number >= 20 and position < len(words) and 1 <= WORDS.get(words[position], 0) <= 9:
            fraction = str(number + WORDS[words[position]])
            position += 1
    return (Decimal(f"0.{fraction}"), position) if fraction else None


def _scale(words: Sequence[str], value: Decimal, position: int) -> tuple[Decimal, int]:
    if position < len(words) and words[position] in _SCALES:
        return value * _SCALES[words[position]], position + 1
    return value, position


def _hundredths(words: Sequence[str], position: int) -> tuple[Decimal, int] | None:
    """The cents of "twenty-five fifty" and "nine oh five"."""
    if position + 1 < len(words) and words[position] == "oh":
        unit = WORDS.get(words[position + 1], 0)
        return (Decimal(unit) / 100, position + 2) if 1 <= unit <= 9 else None
    small = _small(words, position)
    if small is None or not 10 <= small[0] <= 99 or (small[1] < len(words) and words[small[1]] in _SCALES):
        return None
    return Decimal(small[0]) / 100, small[1]


@lru_cache(maxsize=256)
def chinese(text: str) -> Decimal | None:
    """`"一百二"` (120), `"两千三"`, `"1.5万"`, `"二十五点五"`, `"二〇二六"` → the number; None where it is none."""
    whole, dot, part = text.partition("点")
    if dot:
        return _chinese_decimal(whole, part)
    if not any(character in _CN_POWERS or character in _CN_GROUPS for character in text):
        return _chinese_digits(text)
    total, limit = Decimal(0), 10**13
    smallest = 10
    for match in _CN_GROUP.finditer(text):
        group = match.group()
        if not group:
            continue
        scale = _CN_GROUPS.get(group[-1], 1)
        if scale >= limit:
            return None
        value = _below_ten_thousand(group[:-1] if scale > 1 else group, smallest=smallest)
        if value is None:
            return None
        total += value * scale
        limit = scale
        # After 万 a lone digit counts thousands: 一万五 is 15,000.
        smallest = scale // 10 if scale > 1 else 1
    return total


def _chinese_digits(text: str) -> Decimal | None:
    if not all(character in _CN_DIGITS for character in text):
        return None
    if len(text) > 1 and not (len(text) >= 3 and any(zero in text for zero in "零〇")) and len(text) != 4:
        return None
    return Decimal("".join(str(_CN_DIGITS[character]) for character in text)) if len(text) <= 12 else None


def _chinese_decimal(whole: str, part: str) -> Decimal | None:
    scale = 1
    while part and part[-1] in "百千万亿":
        scale *= {"百": 100, "千": 1000, **_CN_GROUPS}[part[-1]]
        part = part[:-1]
    value = chinese(whole) if not whole.isascii() else Decimal(whole)
    if value is None or not part:
        return None
    return (value + Decimal("0." + "".join(str(_CN_DIGITS[character]) for character in part))) * scale


def _below_ten_thousand(text: str, *, smallest: int) -> Decimal | None:
    """A group between 万 and 亿; a lone digit at its end is a tenth of the power before it (一百二 is 120)."""
    if re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]{1,4})?", text):
        value = Decimal(text)
        return value * smallest if smallest > 10 and len(text) == 1 else value
    total, digit, power, zero = Decimal(0), None, 10**4, False
    number = re.compile(r"[0-9]+(?:\.[0-9]+)?|.")
    for token in number.findall(text):
        if token in _CN_POWERS:
            if _CN_POWERS[token] >= power or (digit is None and token != "十"):
                return None
            power = _CN_POWERS[token]
            total += (Decimal(1) if digit is None else digit) * power
            digit, zero = None, False
        elif digit is not None:
            return None
        elif token in "零〇":
            zero = True
        else:
            digit = Decimal(_CN_DIGITS[token]) if token in _CN_DIGITS else Decimal(token)
    if digit is None:
        return total
    if zero or power == 10:
        return total + digit
    tail = power // 10 if power < 10**4 else max(1, smallest if smallest > 10 else 1)
    return total + digit * tail

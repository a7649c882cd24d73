"""Numbers as they are spoken, in English and Chinese. Knows nothing of what they count."""

from __future__ import annotations

import re

from assistant.values import spoken
from assistant.values.tongue import plain, tongue

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ENGLISH = {word: number for number, word in enumerate(_UNITS)} | {
    word: 10 * number for number, word in enumerate(_TENS, start=2)
}
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
ORDINALS = {word: number for number, word in enumerate(_ORDINALS, start=1)} | {"thirtieth": 30}
ORDINALS |= {f"twenty-{word}": 20 + number for number, word in enumerate(_ORDINALS[:9], start=1)}
ORDINALS |= {"thirty-first": 31}

_DIGITS = {digit: number for number, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "俩": 2}
_POWERS = {"十": 10, "百": 100, "千": 1000}

ENGLISH_NUMBER = (
    r"(?:\d{1,4}(?:\.\d{1,2})?"
    rf"|(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_UNITS[1:10])}))?"
    rf"|{'|'.join(sorted(_UNITS, key=len, reverse=True))})"
)
CHINESE_NUMBER = r"(?:\d{1,4}(?:\.\d{1,2})?|[零〇一二两三四五六七八九十百千]{1,7})"
ORDINAL_WORD = f"(?:{'|'.join(sorted(ORDINALS, key=len, reverse=True))})"


def english(text: str) -> float | None:
    """`"twenty-five"`, `"25"`, `"a"` → the number; None where it is none."""
    text = text.strip()
    if text in ("a", "an"):
        return 1
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        return float(text)
    total = 0
    for word in re.split(r"[- ]+", text):
        if word not in ENGLISH:
            return None
        total += ENGLISH[word]
    return total


def ordinal(text: str) -> int | None:
    """`"5th"`, `"fifth"` → 5."""
    if text in ORDINALS:
        return ORDINALS[text]
    digits = re.match(r"[0-9]{1,4}", text)
    return int(digits.group()) if digits else None


def chinese(text: str) -> float | None:
    """`"二十五"`, `"两"`, `"25"`, `"二〇二六"` → the number; None where it is none."""
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        return float(text)
    if not text or any(character not in _DIGITS and character not in _POWERS for character in text):
        return None
    if not any(character in _POWERS for character in text):
        if len(text) > 1 and len(text) != 4 and text[0] not in "零〇":
            return None
        return int("".join(str(_DIGITS[character]) for character in text))
    total, digit = 0, None
    for character in text:
        if character in _POWERS:
            total += (1 if digit is None else digit) * _POWERS[character]
            digit = None
        else:
            digit = _DIGITS[character] or digit
    return total + (digit or 0)


def write_chinese(number: int) -> str:
    """0 to 99 as they are spoken: 25 → 二十五."""
    digits = "零一二三四五六七八九"
    if number < 10:
        return digits[number]
    tens, units = divmod(number, 10)
    return ("" if tens == 1 else digits[tens]) + "十" + (digits[units] if units else "")


def parse_integer(text: str) -> int | None:
    """A whole number in digits or words: "12", "twelve", 十二, "zwölf", "douze"; None where it is none."""
    folded = text.strip().lower()
    number = english(folded)
    if number is None:
        number = chinese(folded)
    if number is None:
        language = tongue(folded)
        number = spoken.number(plain(folded), language) if language in ("de", "fr", "es", "ja") else None
    return int(number) if number is not None and number == int(number) else None

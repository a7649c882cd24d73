"""Number words up to 99 999 in German, French and Spanish (folded, without accents) and in Japanese numerals.

Knows nothing of what they count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

Spoken = Literal["de", "fr", "es", "ja"]

JAPANESE_NUMBER = r"(?:\d{1,4}(?:\.\d{1,2})?|[〇零一二三四五六七八九十百千]{1,8})"
_DIGITS = {digit: number for number, digit in enumerate("〇一二三四五六七八九")} | {"零": 0}
_POWERS = {"十": 10, "百": 100, "千": 1000}


@dataclass(frozen=True, slots=True)
class Numerals:
    """How a language says numbers: what is below a hundred, the hundreds, and the word for a thousand."""

    small: Mapping[str, int]
    hundreds: Mapping[str, int]
    thousand: str
    gap: str
    """What may stand between thousands, hundreds and the rest."""

    @property
    def below_hundred(self) -> str:
        """A pattern of one word (or group of words) from 0 to 99."""
        return choice(self.small)

    @property
    def below_million(self) -> str:
        """A pattern of any number that `read` knows, without digits."""
        small, hundred, gap = self.below_hundred, choice(self.hundreds), self.gap
        return (
            rf"(?:(?:{small}{gap})?{self.thousand}(?:{gap}{hundred})?(?:{gap}{small})?"
            rf"|{hundred}(?:{gap}{small})?|{small})"
        )

    def read(self, text: str) -> int | None:
        """The number of a whole phrase; None where it is none."""
        match = self._whole().fullmatch(text)
        if match is None:
            return None
        total = 0
        if match["thousand"]:
            total = 1000 * (self.small[_key(match["many"])] if match["many"] else 1)
        if match["hundred"]:
            total += self.hundreds[_key(match["hundred"])]
        return total + (self.small[_key(match["rest"])] if match["rest"] else 0)

    def _whole(self) -> re.Pattern[str]:
        return _whole(self.below_hundred, choice(self.hundreds), self.thousand, self.gap)


@cache
def _whole(small: str, hundred: str, thousand: str, gap: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?=.)(?:(?:(?P<many>{small}){gap})?(?P<thousand>{thousand})(?:{gap}|$))?"
        rf"(?:(?P<hundred>{hundred})(?:{gap}|$))?(?P<rest>{small})?"
    )


def choice(words: Iterable[str]) -> str:
    """A pattern of any of `words`, longest first; a space in one may also be a hyphen."""
    ordered = sorted(words, key=lambda word: (-len(word), word))
    return f"(?:{'|'.join(re.escape(word).replace(chr(92) + ' ', '[ -]') for word in ordered)})"


def _key(words: str) -> str:
    return words.replace("-", " ")


@cache
def numerals(language: Spoken) -> Numerals:
    """The numerals of a European language. Raises KeyError for another one."""
    makers: dict[str, Callable[[], Numerals]] = {"de": _german, "fr": _french, "es": _spanish}
    return makers[language]()


def _german() -> Numerals:
    units = "null eins zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn sechzehn "
    small = {word: number for number, word in enumerate((units + "siebzehn achtzehn neunzehn").split())}
    tens = "zwanzig dreißig vierzig funfzig sechzig siebzig achtzig neunzig".split()
    for ten, word in enumerate(tens, start=2):
        small[word] = 10 * ten
        small |= {f"{unit}und{word}": 10 * ten + small[unit] for unit in list(small)[2:10]}
        small[f"einund{word}"] = 10 * ten + 1
    small |= dict.fromkeys(("ein", "eine", "einen", "einem", "einer"), 1) | {"zwo": 2}
    hundreds = {f"{word}hundert": 100 * number for word, number in small.items() if 2 <= number <= 19}
    hundreds |= {"hundert": 100, "einhundert": 100}
    return Numerals(_spelled(small), _spelled(hundreds), "tausend", "(?: ?und)?[ -]?")


def _spelled(words: Mapping[str, int]) -> dict[str, int]:
    """Also without umlauts and ß, as they are typed on other keyboards: fuenf, zwoelf, dreissig."""
    more: dict[str, int] = {}
    for word, number in words.items():
        plain = word.replace("ß", "ss")
        more |= {word: number, plain: number}
        more[plain.replace("funf", "fuenf").replace("zwolf", "zwoelf")] = number
    return more


def _french() -> Numerals:
    units = (
        "zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept "
        "dix-huit dix-neuf"
    )
    names = [_key(word) for word in units.split()]
    small = {word: number for number, word in enumerate(names)} | {"une": 1}
    tens = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante", 70: "septante", 90: "nonante"}
    for base, word in tens.items():
        small[word] = base
        small |= {f"{word} et un": base + 1, f"{word} et une": base + 1, f"{word} un": base + 1}
        small |= {f"{word} {names[unit]}": base + unit for unit in range(2, 10)}
    small |= {"soixante et onze": 71, "quatre vingts": 80, "quatre vingt": 80, "huitante": 80}
    small |= {f"soixante {names[unit]}": 60 + unit for unit in range(10, 20)}
    small |= {f"quatre vingt {names[unit]}": 80 + unit for unit in range(1, 20)}
    small |= {"quatre vingt une": 81, "quatre vingt et un": 81}
    small |= {f"huitante {names[unit]}": 80 + unit for unit in range(1, 10)}
    hundreds = {"cent": 100, "cents": 100}
    for unit in range(2, 10):
        hundreds |= {f"{names[unit]} cent": 100 * unit, f"{names[unit]} cents": 100 * unit}
    return Numerals(small, hundreds, "mille", "[ -]")


def _spanish() -> Numerals:
    units = (
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis "
        "diecisiete dieciocho diecinueve veinte"
    )
    names = units.split()
    small = {word: number for number, word in enumerate(names)} | {"un": 1, "una": 1}
    ones = {word: number for word, number in small.items() if 1 <= number <= 9}
    small |= {f"veinti{word}": 20 + number for word, number in ones.items()}
    for ten, word in enumerate("treinta cuarenta cincuenta sesenta setenta ochenta noventa".split(), start=3):
        small |= {word: 10 * ten} | {f"{word} y {one}": 10 * ten + number for one, number in ones.items()}
    hundreds = {"cien": 100, "ciento": 100}
    stems = "doscient trescient cuatrocient quinient seiscient setecient ochocient novecient".split()
    for number, stem in enumerate(stems, start=2):
        hundreds |= {f"{stem}os": 100 * number, f"{stem}as": 100 * number}
    return Numerals(small, hundreds, "mil", " ")


def number(text: str, language: Spoken) -> float | None:
    """Digits ("25", "1,5") or words of `language` → the number; None where it is none."""
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,6}(?:[.,][0-9]{1,2})?", text):
        return float(text.replace(",", "."))
    return japanese(text) if language == "ja" else numerals(language).read(text)


def japanese(text: str) -> int | None:
    """`"二十五"`, `"1万5千"`, `"3000"` → the number; None where it is none."""
    head, myriad, tail = text.partition("万")
    if myriad:
        above, below = _below_myriad(head), _below_myriad(tail) if tail else 0
        return None if above is None or below is None else 10_000 * above + below
    return _below_myriad(text)


def _below_myriad(text: str) -> int | None:
    if not re.fullmatch(r"(?:[0-9]{1,4}(?=[千百]|$)|[〇零一二三四五六七八九十百千]){1,9}", text):
        return None
    if not any(power in text for power in _POWERS):
        return int("".join(str(_DIGITS.get(character, character)) for character in text))
    total, digits, lowest = 0, "", 10_000
    for character in text:
        if character not in _POWERS:
            digits += str(_DIGITS.get(character, character))
            continue
        power = _POWERS[character]
        if power >= lowest or len(digits) > 1:
            return None
        total, digits, lowest = total + int(digits or "1") * power, "", power
    return None if len(digits) > 1 else total + int(digits or "0")

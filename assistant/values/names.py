"""Which of several people a spoken name may mean: exactly, by a part, by pinyin, or misheard. Knows no address book.

Misheard means what speech recognition confuses: Schmitt for Schmidt, Bop for Bob, Ann for Anna, 汪伟 for 王伟. Ben is
not Bob and Mark is not Mary: another first sound, another consonant or two other vowels make another name.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import product

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_TITLES = {"doctor": "dr", "professor": "prof", "mister": "mr", "missus": "mrs", "missis": "mrs", "miss": "ms"}
_TITLE = frozenset("mr mrs ms dr prof herr frau".split())
_HONORIFIC = rf"(?:[小老](?P<after>[{_HAN}])|(?P<before>[{_HAN}])(?:先生|女士|小姐|太太|总|经理|老板|师傅|阿姨|叔叔))"
_LETTERS_OF_PINYIN = 4
_MOST_READINGS = 16
_LONGEST = 60


def match_names(said: str, people: Sequence[Sequence[str]], *, spelled: bool = False) -> list[int]:
    """Numbers of the people that `said` may mean; each of `people` is a name with its aliases.

    Tries, and stops at the first that finds anyone: the whole name, a part of it, words of several of its names, its
    pinyin without tones, a near miss; the last two not if the name is `spelled` as it is meant. Two people at the same
    distance are both returned; nobody is an empty list.
    """
    wanted = _plain(said) if len(said) <= 2 * _LONGEST else ""  # pages are no name, and are not kept in a cache
    if not wanted or len(wanted) > _LONGEST:
        return []
    plain = [[_plain(name) for name in names] for names in people]
    written = (_exact, _part, _mixed)
    for match in written if spelled else (*written, _pinyin, _pinyin_part, _near):
        distances = [(match(wanted, names), index) for index, names in enumerate(plain)]
        found = [(distance, index) for distance, index in distances if distance is not None]
        if found:
            best = min(distance for distance, _ in found)
            return [index for distance, index in found if distance == best]
    return []


def _nearest(distance: Callable[[str, str], float | None], wanted: str, names: Sequence[str]) -> float | None:
    """The least distance to any of one person's names."""
    distances = [found for name in names if name and (found := distance(wanted, name)) is not None]
    return min(distances) if distances else None


@lru_cache(maxsize=2048)
def _plain(name: str) -> str:
    """Lower case, no accents or punctuation, titles in their short form, single spaces."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    bare = "".join(c for c in unicodedata.normalize("NFD", folded) if not unicodedata.combining(c))
    bare = re.sub(r"['’]", "", unicodedata.normalize("NFC", bare))
    words = re.sub(r"[\W_]+", " ", bare).split()
    return " ".join(_TITLES.get(word, word) for word in words)


def _words(text: str) -> list[str]:
    words = text.split()
    return [word for word in words if word not in _TITLE] or words


def _is_han(text: str) -> bool:
    return bool(re.fullmatch(rf"[{_HAN}]{{2,8}}", text))


def _exact(wanted: str, names: Sequence[str]) -> float | None:
    return 0 if wanted in names else None


def _part(wanted: str, names: Sequence[str]) -> float | None:
    return _nearest(_part_of, wanted, names)


def _mixed(wanted: str, names: Sequence[str]) -> float | None:
    """Words of several names of one person: the nickname with the surname."""
    words = _words(wanted)
    return 0 if len(words) > 1 and set(words) <= {word for name in names for word in name.split()} else None


def _pinyin(wanted: str, names: Sequence[str]) -> float | None:
    return _nearest(_sounds, wanted, names)


def _pinyin_part(wanted: str, names: Sequence[str]) -> float | None:
    return _nearest(_sounds_partly, wanted, names)


def _near(wanted: str, names: Sequence[str]) -> float | None:
    return _nearest(_misheard, wanted, names)


def _part_of(wanted: str, name: str) -> float | None:
    """Words of a name in its order, the end or beginning of a Chinese one, or its surname with 小, 老, 先生, …"""
    parts = name.split()
    for words, distance in ((wanted.split(), 0.0), (_words(wanted), 0.5)):
        rest = iter(parts)
        if all(word in rest for word in words):
            return distance
    if not _is_han(wanted):
        return None
    if len(name) > len(wanted) and (name.startswith(wanted) or name.endswith(wanted)):
        return 0
    polite = re.fullmatch(_HONORIFIC, wanted)
    if polite and re.fullmatch(rf"[{_HAN}]{{2,3}}", name) and name[0] == (polite["after"] or polite["before"]):
        return 0
    return None


def _sounds(wanted: str, name: str) -> float | None:
    """Two whole names that sound alike, at least one of them Chinese; farther where it takes a rare reading."""
    if not (_is_han(name) or _is_han(wanted)):
        return None
    if _spellings(wanted) & _spellings(name):
        return 0
    rare = _spellings(wanted) & _spellings(name, rare=True) or _spellings(wanted, rare=True) & _spellings(name)
    return 1 if rare else None


def _sounds_partly(wanted: str, name: str) -> float | None:
    """The given name of a Chinese one, or its family name in Latin letters."""
    if not _is_han(name):
        return None
    said = _spellings(" ".join(_words(wanted)))
    if len(name) >= 3 and said & _readings(name[1:]):
        return 0
    return 1 if wanted.isascii() and len(name) <= 3 and said & _readings(name[0]) else None


@lru_cache(maxsize=2048)
def _spellings(name: str, *, rare: bool = False) -> frozenset[str]:
    """A name's letters without spaces; a Chinese one's pinyin, its family name first or last."""
    if not _is_han(name):
        letters = re.sub(r"[^a-z]", "", name)
        return frozenset({letters} if len(letters) >= _LETTERS_OF_PINYIN else ())
    family = 2 if len(name) >= 4 else 1
    own, given = _readings(name[:family], rare=rare), _readings(name[family:], rare=rare)
    return _readings(name, rare=rare) | {last + first for last, first in product(given, own)}


@lru_cache(maxsize=2048)
def _readings(han: str, *, rare: bool = False) -> frozenset[str]:
    """The pinyin of some characters, without tones; with their `rare` readings up to 16 of them."""
    each = [_of_character(character)[: None if rare else 1] for character in han]
    return frozenset("".join(syllables) for syllables, _ in zip(product(*each), range(_MOST_READINGS), strict=False))


@lru_cache(maxsize=4096)
def _of_character(character: str) -> tuple[str, ...]:
    # The phrases of pypinyin take 45 MB and only help with running text.
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    os.environ.setdefault("PYPINYIN_NO_DICT_COPY", "true")
    from pypinyin import Style, pinyin

    (syllables,) = pinyin(character, style=Style.NORMAL, heteronym=True)
    return tuple(dict.fromkeys(syllables))


def _misheard(wanted: str, name: str) -> float | None:
    """A weighted distance between misheard names, word by word, or None beyond what speech recognition confuses."""
    if re.search(r"[0-9]", wanted + name):
        return None
    if _is_han(wanted) or _is_han(name):
        return _near_pinyin(wanted, name)
    words, parts = [_sound(word) for word in _words(wanted)], [_sound(word) for word in _words(name)]
    if len("".join(words)) < 2 or len(words) > 4 or len(parts) > 6:
        return None
    rows = [_row(words, parts[start : start + len(words)]) for start in range(len(parts) - len(words) + 1)]
    if len(words) != len(parts) and len("".join(words)) > 5:
        rows.append(_row(["".join(words)], ["".join(parts)]))
    distances = [distance for distance in rows if distance is not None]
    return min(distances) + (0.25 if len(parts) > len(words) else 0) if distances else None


def _near_pinyin(wanted: str, name: str) -> float | None:
    def flat(readings: frozenset[str]) -> set[str]:
        return {re.sub(r"ng(?![aeiou])", "n", re.sub(r"([zcs])h", r"\1", reading)) for reading in readings}

    return 1 if flat(_spellings(wanted)) & flat(_spellings(name)) else None


def _row(words: list[str], parts: list[str]) -> float | None:
    total = 0.0
    sure = any(word == part for word, part in zip(words, parts, strict=True))
    for word, part in zip(words, parts, strict=True):
        distance = _apart(word, part)
        # Beside a word that is exact a short one may be a vowel off: Wang Wai.
        if distance is None or distance > _allowed(word, part) + (0.25 if sure else 0):
            return None
        total += distance
    return total


def _allowed(word: str, part: str) -> float:
    longest = max(len(word), len(part))
    return 0.5 if longest <= 4 else 1.0 if longest <= 7 else 1.5


_VOWELS = "aeiou"
_CLASSES = ("bp", "dt", "gk", "fv", "sz", "mn")
_CLASS = {letter: letters for letters in _CLASSES for letter in letters}


@lru_cache(maxsize=4096)
def _sound(word: str) -> str:
    """A word as it sounds, roughly: one letter a sound, none doubled."""
    for written, heard in (
        ("ß", "s"),
        ("sch", "sh"),
        ("tz", "z"),
        ("ph", "f"),
        ("ck", "k"),
        ("dt", "t"),
        ("th", "t"),
        ("qu", "kv"),
        ("x", "ks"),
        ("w", "v"),
        ("y", "i"),
        ("j", "i"),
    ):
        word = word.replace(written, heard)
    word = re.sub(r"c(?=[ei])", "s", word).replace("c", "k")
    word = re.sub(r"(?<=[aeiou])h", "", word)
    return re.sub(r"(.)\1+", r"\1", word)


@lru_cache(maxsize=8192)
def _apart(word: str, part: str) -> float | None:
    """The cost of hearing one word for another; None where they begin otherwise or differ much in length."""
    if word == part:
        return 0
    if min(len(word), len(part)) < 2 or abs(len(word) - len(part)) > 2 or not _alike(word[0], part[0]):
        return None
    row = [0.0]
    for index in range(len(part)):
        row.append(row[-1] + _drop(part, index))
    for i, letter in enumerate(word):
        before, row = row, [row[0] + _drop(word, i)]
        for j, other in enumerate(part):
            last = i == len(word) - 1 and j == len(part) - 1
            swapped = before[j] + _swap(letter, other, last)
            row.append(min(swapped, before[j + 1] + _drop(word, i), row[j] + _drop(part, j)))
    return row[-1]


def _alike(letter: str, other: str) -> bool:
    return letter == other or _CLASS.get(letter) == _CLASS.get(other, "?")


def _drop(word: str, index: int) -> float:
    """The cost of a sound that was not heard: little at the end of a word, or an h."""
    letter = word[index]
    if letter == "h" or (letter in _VOWELS and index == len(word) - 1):
        return 0.5
    return 0.75 if letter in _VOWELS else 1.0


def _swap(letter: str, other: str, last: bool) -> float:
    if letter == other:
        return 0
    if letter in _VOWELS and other in _VOWELS:
        return 0.5 if last else 0.75
    return 0.5 if _alike(letter, other) else 1.5

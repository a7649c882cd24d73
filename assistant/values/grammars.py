"""The rules that read times, by language. English and Chinese are always there, together; others load when needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module

from assistant.values import chinese, chinese_clock, english, english_clock
from assistant.values.atoms import Length, Rule, fold
from assistant.values.tongue import Tongue, plain, tongue


@dataclass(frozen=True, slots=True)
class Grammar:
    """One language's rules, and the small words that hold pieces of time together. All patterns are bounded."""

    rules: Sequence[Rule]
    glue: re.Pattern[str]
    """May stand between pieces of one expression."""
    to: re.Pattern[str]
    """Stands between the two ends of a range."""
    also: frozenset[str]
    """Those words of `to` that make a range only behind `between`."""
    between: re.Pattern[str]
    """`$`-anchored: opens a range that `also` may join."""
    opens: re.Pattern[str]
    """`$`-anchored: opens a range, and belongs to it."""
    since: re.Pattern[str]
    """`$`-anchored."""
    ended: re.Pattern[str]
    """A "since" that stands behind its day."""
    lead: re.Pattern[str]
    """`$`-anchored: the preposition that is cut out with an expression."""
    before: re.Pattern[str]
    """Between a length and the moment it is measured back from."""
    after: re.Pattern[str]
    rest: re.Pattern[str]
    """What may be left of a text that is one time expression."""
    now: frozenset[str]
    length: Callable[[str], Length | None]
    """Reads a whole phrase that is a length of time."""
    dates: str = ""
    """The locale in whose order its speakers write 5/12, whatever the user's; "" leaves it to the user's."""


_NEVER = re.compile(r"(?!)")


def _length(text: str) -> Length | None:
    if re.fullmatch(english_clock.LENGTH, text):
        return english_clock.length(text)
    return chinese_clock.length(text) if re.fullmatch(chinese_clock.LENGTH, text) else None


BILINGUAL = Grammar(
    rules=[*english.RULES, *chinese.RULES],
    glue=re.compile(
        r"(?:[\s,，、]|的|在|于|从|(?<![a-z])(?:at|on|in|of|the|from|between|starting|beginning)(?![a-z])){0,8}"
    ),
    to=re.compile(r"\s?(?:to|until|till|til|through|thru|-|–|—|~|到|至|和|and)(?:了)?\s?(?:the\s)?"),
    also=frozenset({"and", "和"}),
    between=re.compile(r"between(?: the)? ?$|在$"),
    opens=re.compile(r"(?:between|from|from the|between the|从|自|在)\s?$"),
    since=re.compile(r"(?:since|自从|自)\s?$"),
    ended=re.compile(r"(?:以来|至今|到现在)"),
    lead=re.compile(
        r"(?<![a-z])(?<!what's )(?<!whats )(?<!what is )(?<!anything )(?:at|on|in|on the|in the|at around)\s$"
        r"|(?<![现正存])在$|于$"
    ),
    before=re.compile(r"\sbefore\s"),
    after=re.compile(r"\safter\s"),
    rest=re.compile(r"(?<![a-z])(?:on|at|in|by|from|for|the|every|around)(?![a-z])|^[在于从]+|[在于从]+$"),
    now=frozenset({"now", "right now", "at the moment", "现在", "此刻", "马上", "立刻"}),
    length=_length,
)
_MODULES: dict[Tongue, str] = {"de": "german", "fr": "french", "es": "spanish", "ja": "japanese"}


@lru_cache(maxsize=8)
def grammar(language: Tongue) -> Grammar:
    """The grammar of `language`, imported and compiled when it is first asked for."""
    if language not in _MODULES:
        return BILINGUAL
    made = import_module(f"assistant.values.{_MODULES[language]}").GRAMMAR
    assert isinstance(made, Grammar)
    return made


def prepared(text: str) -> tuple[str, Grammar]:
    """`text` folded, exactly as long as it was, and the grammar that reads it."""
    language = tongue(text)
    folded = fold(text)
    return (plain(folded) if language in ("de", "fr", "es") else folded), grammar(language)

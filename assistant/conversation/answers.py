"""Yes and no in any wording: "yes, send it", "hmm no, don't send that yet", 行，发吧. Clause by clause, by templates.

A yes is one only where every clause says so: "yes, but to Bob" approves nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Literal

from assistant.conversation.phrases import phrases
from assistant.models import Language
from assistant.values.exact import account

Answer = Literal["yes", "no", "no_and_more", "thanks"]
_CLAUSE = re.compile(r"[,，.。!！;；、…—~～?？]+|\s+-+\s+")
_MOST_CLAUSES = 12
"""Who says more answers nothing: each clause costs milliseconds, and a list of a thousand things is none."""
_PROOF = re.compile(
    r"(?:yes|yeah|ok(?:ay)?|是的?|好的?|同意|确认|可以)?[\s,;.。:]*(?:尾号|最后四位|末四位)?[是为]?[•…*.:\s]*"
    r"(?P<end>\d(?:\s?\d){3}|[A-Z\d]{4})[.。!]?",
    re.IGNORECASE | re.ASCII,
)
_YES, _NO, _THANKS = frozenset({"core.yes"}), frozenset({"core.no", "core.undo"}), frozenset({"core.thanks"})


def proof_of(text: str) -> str:
    """What was typed besides a yes: the last four characters of an account or the whole of it; empty for words."""
    said = unicodedata.normalize("NFKC", text).strip()
    typed = _PROOF.fullmatch(said)
    end = typed["end"] if typed else account(said) or ""
    return "" if end.isalpha() and not end.isupper() else end  # "help" is a word


def answer_of(text: str, language: Language, tool_of: Callable[[str], str]) -> Answer | None:
    """What `text` answers, if it is an answer of that kind; `tool_of` gives the template's tool for a clause.

    `no_and_more`: a no, and then words that may say why, or what instead.
    """
    clauses = [clause.strip() for clause in _CLAUSE.split(text)]
    if len(clauses) > _MOST_CLAUSES:
        first = next((one for one in clauses if one), "")
        return "no_and_more" if first and (tool_of(first) or _kind(_plain(first, language), tool_of)) in _NO else None
    kinds = [tool_of(one) or _kind(_plain(one, language), tool_of) for one in clauses if one]
    kinds = [kind for kind, one in zip(kinds, filter(None, clauses), strict=True) if kind or _plain(one, language)]
    if not set(kinds) & (_NO | _THANKS) and _assents(text, language):
        return "yes"
    if not kinds:
        return None
    if set(kinds) <= _YES:
        return "yes"
    if set(kinds) <= _YES | _NO and kinds[-1] in _NO:  # "ok, I'll sleep on it"
        return "no"
    if kinds[0] in _NO:
        return "no_and_more"
    return "thanks" if set(kinds) <= _THANKS | _YES | _NO and kinds[-1] in _THANKS else None


def _assents(text: str, language: Language) -> bool:
    """Whether all the words are words of a yes, at least one of which is one by itself; a question is none, nor that
    the user will do it."""
    how = phrases(language)
    said = text.strip()
    other = said.endswith(("?", "？")) or how["no_assent"].search(said)
    return not other and bool(how["consent"].search(said) and how["assent"].fullmatch(said))


def _plain(clause: str, language: Language) -> str:
    """Without fillers in front; empty where there is nothing else."""
    before = None
    while clause != before:
        before, clause = clause, phrases(language)["filler"].sub("", clause.strip(), 1)
    return clause


def _kind(clause: str, tool_of: Callable[[str], str]) -> str:
    """The template's tool; "yeah go for it" is two yeses in one breath."""
    if not clause:
        return ""
    first, _, rest = clause.partition(" ")
    return tool_of(clause) or (tool_of(rest) if rest and tool_of(first) in _YES and tool_of(rest) in _YES else "")

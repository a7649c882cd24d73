"""What the user's words allow one turn to do: tools and fixed arguments, written down before anything is read.

Pure. A call that is read out of a mail, whoever asks for it, is none of these, and is not done in this turn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assistant.values.exact import account, amount

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,20})(?:\.[0-9]{1,6})?")


@dataclass(frozen=True)
class Grant:
    """One call that was decided on: what is fixed of it, and what is yet to be read."""

    tool: str
    fixed: Mapping[str, Any]
    """Canonical values that the user's words gave."""
    open: frozenset[str]
    """Arguments whose value is read elsewhere."""
    times: int = 1

    def allows(self, tool: str, args: Mapping[str, Any]) -> bool:
        """Whether the call is this one: no argument besides, no fixed value changed or left out."""
        if tool != self.tool or not args.keys() <= self.fixed.keys() | self.open:
            return False
        return all(name in args and same(args[name], value) for name, value in self.fixed.items())


@dataclass
class Mandate:
    """A turn's grants, and how often each was used. Only what was executed counts: a refused try uses up nothing."""

    turn: str
    grants: Sequence[Grant]
    used: dict[int, int] = field(default_factory=dict)

    def grant(self, tool: str, args: Mapping[str, Any]) -> int | None:
        """The number of the grant that allows the call and is not used up."""
        for number, one in enumerate(self.grants):
            if one.allows(tool, args) and self.used.get(number, 0) < one.times:
                return number
        return None

    def use(self, number: int) -> None:
        """The call was executed."""
        self.used[number] = self.used.get(number, 0) + 1

    def name(self, number: int) -> str:
        """The grant's name in the approvals table."""
        return f"{self.turn}:{number}"


def merged(grants: Sequence[Grant]) -> list[Grant]:
    """Equal grants as one with their times added."""
    kept: list[Grant] = []
    for one in grants:
        for number, other in enumerate(kept):
            if (other.tool, other.fixed, other.open) == (one.tool, one.fixed, one.open):
                kept[number] = Grant(one.tool, one.fixed, one.open, other.times + one.times)
                break
        else:
            kept.append(one)
    return kept


def same(one: Any, other: Any) -> bool:
    """Whether two canonical values are the same thing: 50 and "50.00", lists in any order, an IBAN with spaces."""
    if isinstance(one, list) and isinstance(other, list):
        left = list(other)
        for value in one:
            match = next((at for at, candidate in enumerate(left) if same(value, candidate)), None)
            if match is None:
                return False
            left.pop(match)
        return not left
    if isinstance(one, list) != isinstance(other, list) or isinstance(one, bool) != isinstance(other, bool):
        return False
    if _plain_number(one) and _plain_number(other):
        return amount(one) == amount(other)
    if isinstance(one, str) and isinstance(other, str):
        if first := account(one):
            return first == account(other)
        if " " not in one.strip():  # an address, a file's name, an id: every mark counts
            return one.strip().casefold() == other.strip().casefold()
        return " ".join(one.casefold().split()) == " ".join(other.casefold().split())
    return bool(one == other)


def _plain_number(value: Any) -> bool:
    """Whether it is written as a number is: an id is not, 007 is not 7 and 1e1 is not 10."""
    return _NUMBER.fullmatch(str(value)) is not None

"""Whether a plan is what an utterance asked for: exact, contains, any_of, set. Knows no daemon and reads one table.

An item: `{"id", "lang", "text", "expect", "tags"}`; `expect.kind` is call, reply, ask or refuse. A plan is the JSON
that `assistant ask --dry-run --json` prints.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from assistant.locale.catalogue import read
from bench.form import DATA

_BERLIN = ZoneInfo("Europe/Berlin")
_ADDRESS = re.compile(r"^[^<>]*<([^<>@\s]+@[^<>@\s]+)>$")
_FINAL = re.compile(r"[.。!?]$")
_UNASKED = ("cc", "attachments")
_length = TypeAdapter(timedelta)


class Contract:
    """Effects and argument types of the tools that stay."""

    def __init__(self) -> None:
        self._tools: dict[str, Mapping[str, Any]] = {
            f"{skill}.{name}": tool
            for skill, tools in read(DATA / "contract.yaml").items()
            for name, tool in tools.items()
        }

    def effect(self, tool: str) -> str:
        """read, write, outward or money; a tool that the contract does not know counts as a write."""
        return str(self._tools.get(tool, {}).get("effect", "write"))

    def type_of(self, tool: str, argument: str) -> str:
        """The argument's type; `str` where the contract knows none."""
        return str(self._tools.get(tool, {}).get("args", {}).get(argument, "str"))


@dataclass(frozen=True)
class Score:
    """What was right about one item."""

    tool: bool
    exact: bool
    args: bool | None = None
    """None where the item expects no call."""
    side_effect: bool = False
    """An item that must not act would have acted."""


def score(item: Mapping[str, Any], plan: Mapping[str, Any] | None, contract: Contract) -> Score:
    """Compare a plan with what is expected; None is a plan that could not be had."""
    expect = item["expect"]
    if plan is None:
        return Score(tool=False, exact=False, args=False if expect["kind"] == "call" else None)
    calls = list(plan.get("calls") or []) if plan.get("kind") == "call" else []
    if expect["kind"] == "call":
        wanted = expect["any"] if "any" in expect else [expect["calls"]]
        return max((_score_calls(calls, one, contract) for one in wanted), key=lambda found: (found.exact, found.tool))
    answered = bool(str(plan.get("reply") or "").strip())
    if expect["kind"] == "reply":
        return Score(tool=not calls, exact=not calls and answered)
    acts = any(contract.effect(call["tool"]) != "read" or call["tool"] == expect.get("tool") for call in calls)
    if expect["kind"] == "ask":
        asked = plan.get("kind") == "ask" and bool(set(plan.get("missing") or ()) & set(expect["missing"]))
        return Score(tool=not acts, exact=not acts and asked, side_effect=acts)
    return Score(tool=not acts, exact=not acts and answered, side_effect=acts)


def _score_calls(calls: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]], contract: Contract) -> Score:
    fits = list(_alignments(calls, wanted, contract))
    right = any(
        all(_call_matches(calls[at], one, at, contract) for at, one in zip(places, wanted, strict=True))
        for places in fits
    )
    return Score(tool=bool(fits), exact=right, args=right)


def _alignments(
    calls: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]], contract: Contract
) -> Iterator[tuple[int, ...]]:
    """Every way to find the wanted tools, in order, so that only reads are left over."""
    for places in combinations(range(len(calls)), len(wanted)):
        named = all(calls[at]["tool"] == one["tool"] for at, one in zip(places, wanted, strict=True))
        rest = (call for at, call in enumerate(calls) if at not in places)
        if named and all(contract.effect(call["tool"]) == "read" for call in rest):
            yield places


def _call_matches(call: Mapping[str, Any], wanted: Mapping[str, Any], at: int, contract: Contract) -> bool:
    args = call.get("args") or {}
    named = {*wanted["args"], *wanted.get("from_previous", ())}
    if any(args.get(name) for name in _UNASKED if name not in named):
        return False
    if not all(_from_before(args.get(name), at) for name in wanted.get("from_previous", ())):
        return False
    return all(
        name in args
        and matches(args[name], value, wanted.get("match", {}).get(name, "exact"), contract.type_of(call["tool"], name))
        for name, value in wanted["args"].items()
    )


def _from_before(value: Any, at: int) -> bool:
    """Whether the value is taken from the result of an earlier call."""
    if isinstance(value, list):
        return bool(value) and all(_from_before(one, at) for one in value)
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("$from"), int)
        and 0 <= value["$from"] < at
        and bool(value.get("field"))
    )


def matches(value: Any, wanted: Any, how: str, kind: str) -> bool:
    """Whether an argument's value is the wanted one under the matching rule `how`, for an argument of type `kind`."""
    if how == "any_of":
        return any(_equal(value, one, kind) for one in wanted)
    if how == "contains":
        return _contains(value, str(wanted), kind)
    if how in ("exact", "set"):
        return _equal(value, wanted, kind)
    raise ValueError(f"{how!r} is no matching rule")


def _contains(value: Any, wanted: str, kind: str) -> bool:
    if isinstance(value, list):
        return any(_contains(one, wanted, kind) for one in value)
    if wanted == "":
        return value not in (None, "", {})
    if kind in ("date", "datetime"):
        return str(normal(value, kind)).startswith(str(wanted))
    return str(normal(wanted, "str")) in str(normal(value, "str"))


def _equal(value: Any, wanted: Any, kind: str) -> bool:
    if kind == "list" or isinstance(wanted, list) or isinstance(value, list):
        ours = value if isinstance(value, list) else [value]
        theirs = wanted if isinstance(wanted, list) else [wanted]
        return sorted(repr(normal(one, "str")) for one in ours) == sorted(repr(normal(one, "str")) for one in theirs)
    return bool(normal(value, kind) == normal(wanted, kind))


def normal(value: Any, kind: str) -> Any:
    """The form in which two values of a type are compared; a value that is none of the type is compared as text."""
    if isinstance(value, bool) or value is None or kind == "bool":
        return ("bool", repr(value))
    if kind == "int" and isinstance(value, int):
        return value
    text = unicodedata.normalize("NFKC", str(value)).strip()
    try:
        if kind == "int":
            return int(text)
        if kind == "money":
            return Decimal(text)
        if kind == "duration":
            return _length.validate_python(text)
        if kind == "date":
            return date.fromisoformat(text[:10]).isoformat()
        if kind == "datetime":
            return _minute(text)
    except (ValueError, InvalidOperation, ValidationError):
        pass
    text = _FINAL.sub("", text.casefold()).strip()
    address = _ADDRESS.match(text)
    return address.group(1) if address else text


def _minute(text: str) -> str:
    """To the minute, without a Berlin offset; another zone's time is brought to Berlin."""
    if len(text) == 10:
        return datetime.combine(date.fromisoformat(text), time.min).isoformat(timespec="minutes")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(_BERLIN).replace(tzinfo=None)
    return moment.replace(second=0, microsecond=0).isoformat(timespec="minutes")

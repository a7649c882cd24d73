"""A tool's schema, from its function; its arguments, checked and canonical."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import AskAgain, Rejected
from assistant.locale.catalogue import LANGUAGES, Catalogue
from assistant.models import canonical
from assistant.skillkit import Context, Result
from assistant.skillkit.problems import Fault
from assistant.skillkit.schema import ToolSchema, from_function

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")
CATALOGUE = Catalogue()


async def everything(
    ctx: Context,
    text: str,
    count: int | None = None,
    loud: bool = False,
    day: date | None = None,
    when: datetime | None = None,
    length: timedelta | None = None,
    amount: Decimal | None = None,
    mood: Literal["Calm", "wild"] = "Calm",
    names: list[str] | None = None,
    days: list[date] | None = None,
) -> Result:
    """Take one of each
    kind of argument.

    text: what to say,
        and nothing else
    amount: how much
    note: this line names no argument
    """
    return Result(text=text)


SCHEMA = from_function("demo.everything", everything)


def canon(zone: ZoneInfo = BERLIN, **args: Any) -> dict[str, Any]:
    given = SCHEMA.validate({"text": "x", **args}, zone)
    assert given.pop("text") == "x"
    return given


def test_annotations_and_docstring_become_the_schema() -> None:
    assert SCHEMA.description == "Take one of each kind of argument."
    assert SCHEMA.required == ("text",)
    assert {one.name: one.type for one in SCHEMA.arguments} == {
        "text": "str",
        "count": "int",
        "loud": "bool",
        "day": "date",
        "when": "datetime",
        "length": "duration",
        "amount": "money",
        "mood": "choice",
        "names": "list[str]",
        "days": "list[date]",
    }
    assert SCHEMA.properties["text"] == {"type": "string", "description": "what to say, and nothing else"}
    assert SCHEMA.properties["when"] == {"type": "string", "format": "date-time"}
    assert SCHEMA.properties["mood"] == {"type": "string", "enum": ["Calm", "wild"]}
    assert SCHEMA.properties["days"] == {"type": "array", "items": {"type": "string", "format": "date"}}
    assert SCHEMA.json_schema["additionalProperties"] is False
    json.dumps(SCHEMA.json_schema)


def test_the_signature_is_one_line_with_optional_arguments_marked() -> None:
    assert SCHEMA.signature == (
        "demo.everything(text: str, count?: int, loud?: bool, day?: date, when?: datetime, length?: duration, "
        "amount?: money, mood?: Calm|wild, names?: list[str], days?: list[date])"
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("count", "12", 12),
        ("count", 12.0, 12),
        ("loud", "TRUE", True),
        ("loud", False, False),
        ("day", "20260509", "2026-05-09"),
        ("day", "2026-05-09T23:30Z", "2026-05-10"),
        ("when", "2026-05-09T14:30", "2026-05-09T14:30:00+02:00"),
        ("when", "2026-05-09", "2026-05-09T00:00:00+02:00"),
        ("when", "2026-05-09T12:30:00Z", "2026-05-09T14:30:00+02:00"),
        ("when", datetime(2026, 5, 9, 12, 30, tzinfo=UTC), "2026-05-09T14:30:00+02:00"),
        ("length", "PT90M", "PT1H30M"),
        ("length", "P1W", "P7D"),
        ("length", "pt0.5s", "PT0.5S"),
        ("length", timedelta(days=1, seconds=61), "P1DT1M1S"),
        ("length", "PT0S", "PT0S"),
        ("amount", "25", "25.00"),
        ("amount", "25.5", "25.50"),
        ("amount", 25.5, "25.50"),
        ("amount", "+0025.5000", "25.50"),
        ("amount", "0.125", "0.125"),
        ("amount", "-0", "0.00"),
        ("amount", Decimal("1E+2"), "100.00"),
        ("mood", "CALM", "Calm"),
        ("names", "Anna", ["Anna"]),
        ("names", ["Anna", "王伟"], ["Anna", "王伟"]),
        ("days", ["2026-05-09"], ["2026-05-09"]),
    ],
)
def test_values_become_canonical_json(name: str, value: Any, expected: Any) -> None:
    assert canon(**{name: value}) == {name: expected}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 5),
        ("text", "a\0b"),
        ("text", "\ud800"),
        ("text", "x" * 100_001),
        ("count", True),
        ("count", 1.5),
        ("count", "1e3"),
        ("count", 2**63),
        ("count", "9" * 5000),
        ("loud", 1),
        ("loud", "ja"),
        ("day", "2026-02-30"),
        ("day", 20260509),
        ("when", "tomorrow"),
        ("when", 0),
        ("when", "0001-01-01T00:00"),
        ("length", "10 minutes"),
        ("length", "P"),
        ("length", "PT"),
        ("length", "P1Y"),
        ("length", timedelta(seconds=-1)),
        ("amount", "1,000.00"),
        ("amount", "1e3"),
        ("amount", "NaN"),
        ("amount", float("inf")),
        ("amount", True),
        ("amount", "٢٥"),
        ("mood", "grim"),
        ("names", [1]),
        ("names", ["a"] * 1001),
        ("days", ["2026-05-09", "x"]),
    ],
)
def test_bad_values_are_refused_with_a_sentence_in_both_languages(name: str, value: Any) -> None:
    with pytest.raises(Rejected) as refused:
        SCHEMA.validate({"text": "x", name: value}, BERLIN)
    for language in LANGUAGES:
        message, _ = CATALOGUE.explain(refused.value, language)
        assert name in message
        assert "demo.everything" in message
        message.encode()


def test_an_unknown_argument_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(Rejected) as refused:
        SCHEMA.validate({"text": "x", "colour": "red"}, BERLIN)
    message, mend = CATALOGUE.explain(refused.value, "en")
    assert "colour" in message
    assert "amount" in mend


@pytest.mark.parametrize("blank", [None, "", " \n", [], [""]])
def test_what_is_blank_counts_as_not_given(blank: Any) -> None:
    assert canon(names=blank, mood=None) == {}
    with pytest.raises(AskAgain) as asked:
        SCHEMA.validate({"text": blank}, BERLIN)
    assert asked.value.missing == ("text",)


def test_a_local_time_that_a_clock_change_skips_moves_on() -> None:
    assert canon(when="2026-03-29T02:30") == {"when": "2026-03-29T03:30:00+02:00"}


def test_the_function_gets_python_values_in_the_users_zone() -> None:
    args = {"text": "x", "when": "2026-05-09T14:30", "amount": "25", "length": "PT10M", "days": ["2026-05-09"]}
    typed = SCHEMA.call_args(args, SHANGHAI)
    assert typed == {
        "text": "x",
        "when": datetime(2026, 5, 9, 14, 30, tzinfo=SHANGHAI),
        "length": timedelta(minutes=10),
        "amount": Decimal(25),
        "days": [date(2026, 5, 9)],
    }
    assert typed["when"].tzinfo is SHANGHAI


def test_a_schema_that_travelled_as_json_validates_the_same() -> None:
    arguments = tuple(type(one).model_validate_json(one.model_dump_json()) for one in SCHEMA.arguments)
    copy = ToolSchema(SCHEMA.name, SCHEMA.description, arguments)
    args = {"text": "x", "mood": "wild", "when": "2026-05-09", "names": ["a"]}
    assert copy.validate(args, BERLIN) == SCHEMA.validate(args, BERLIN)
    assert copy.json_schema == SCHEMA.json_schema


TEXTS = st.text(min_size=1, max_size=20)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS,
    "count": st.integers() | TEXTS,
    "loud": st.booleans() | TEXTS,
    "day": st.dates() | st.dates().map(str) | st.datetimes().map(str) | TEXTS,
    "when": st.datetimes() | st.datetimes(timezones=st.timezones()) | st.datetimes().map(str) | TEXTS,
    "length": st.timedeltas() | st.from_regex(r"\AP(\d{1,3}D)?(T\d{1,5}M\d{1,4}(\.\d{1,6})?S)?\Z") | TEXTS,
    "amount": st.decimals() | st.floats() | st.integers() | st.from_regex(r"\A[+-]?\d{1,16}(\.\d{1,9})?\Z") | TEXTS,
    "mood": st.sampled_from(["calm", "WILD", "x"]),
    "names": st.lists(TEXTS) | TEXTS,
    "days": st.lists(st.dates()),
}


@given(
    args=st.fixed_dictionaries({"text": TEXTS}, optional={name: VALUES[name] for name in VALUES if name != "text"}),
    zone=st.sampled_from(["Europe/Berlin", "Asia/Shanghai", "UTC", "America/St_Johns", "Pacific/Apia"]).map(ZoneInfo),
)
def test_canonical_arguments_stay_as_they_are(args: dict[str, Any], zone: ZoneInfo) -> None:
    try:
        once = SCHEMA.validate(args, zone)
    except (Rejected, AskAgain):
        return
    assert SCHEMA.validate(once, zone) == once
    assert SCHEMA.validate(json.loads(canonical(once)), zone) == once


@given(
    moment=st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)),
    length=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=9999)),
    amount=st.decimals(min_value=-(10**9), max_value=10**9, places=4),
)
def test_canonical_values_mean_what_was_given(moment: datetime, length: timedelta, amount: Decimal) -> None:
    args = canon(when=moment, length=length, amount=amount)
    assert datetime.fromisoformat(args["when"]) == moment
    assert SCHEMA.call_args({"text": "x", **args}, BERLIN)["length"] == length
    assert Decimal(args["amount"]) == amount


async def no_ctx(text: str) -> Result:
    """Say."""
    return Result(text=text)


async def no_description(ctx: Context, text: str) -> Result:
    return Result(text=text)


async def no_annotation(ctx: Context, text) -> Result:  # type: ignore[no-untyped-def]
    """Say."""
    return Result(text=text)


async def odd_type(ctx: Context, text: dict[str, str]) -> Result:
    """Say."""
    return Result(text="")


async def nested(ctx: Context, text: list[list[str]]) -> Result:
    """Say."""
    return Result(text="")


async def two_types(ctx: Context, text: str | int) -> Result:
    """Say."""
    return Result(text="")


async def star(ctx: Context, *texts: str) -> Result:
    """Say."""
    return Result(text="")


async def none_without_default(ctx: Context, text: str | None) -> Result:
    """Say."""
    return Result(text="")


async def unknown_name(ctx: Context, text: "Nothing") -> Result:  # type: ignore[name-defined]  # noqa: F821, UP037
    """Say."""
    return Result(text="")


@pytest.mark.parametrize(
    ("function", "code"),
    [
        (no_ctx, "skillkit.no_ctx"),
        (no_description, "skillkit.no_description"),
        (no_annotation, "skillkit.argument_type"),
        (odd_type, "skillkit.argument_type"),
        (nested, "skillkit.argument_type"),
        (two_types, "skillkit.argument_type"),
        (star, "skillkit.argument_type"),
        (none_without_default, "skillkit.no_default"),
        (unknown_name, "skillkit.annotations"),
    ],
)
def test_a_function_that_can_not_be_a_tool_is_told_apart(function: Any, code: str) -> None:
    with pytest.raises(Fault) as fault:
        from_function("demo.tool", function)
    assert fault.value.code == code
    assert CATALOGUE.has(f"error.{code}")
    assert CATALOGUE.has(f"error.{code}_mend")

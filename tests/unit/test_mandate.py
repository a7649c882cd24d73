"""What a turn may do, fixed before anything is read. Example run: python -m pytest tests/unit/test_mandate.py -v"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.safety.mandate import Grant, Mandate, merged, same

SEND = Grant("email.send", {"to": ["lan@example.cn"], "body": "see you at noon"}, frozenset({"subject"}))
RIGHT = {"to": ["lan@example.cn"], "body": "see you at noon"}


@pytest.mark.parametrize(
    ("args", "allowed"),
    [
        (RIGHT, True),
        (RIGHT | {"subject": "whatever was read"}, True),
        (RIGHT | {"to": ["eve@evil.example"]}, False),
        (RIGHT | {"to": ["lan@example.cn", "eve@evil.example"]}, False),
        (RIGHT | {"to": []}, False),
        (RIGHT | {"body": "see you at noon, and send money"}, False),
        ({"to": ["lan@example.cn"]}, False),
        (RIGHT | {"cc": ["eve@evil.example"]}, False),
        (RIGHT | {"cc": None}, False),
        ({}, False),
    ],
)
def test_nothing_fixed_is_changed_or_left_out_and_nothing_is_added(args: dict[str, Any], allowed: bool) -> None:
    assert SEND.allows("email.send", args) is allowed
    assert not SEND.allows("email.forward", args)


def test_only_what_was_executed_uses_up_a_grant() -> None:
    mandate = Mandate("t", [SEND])
    assert [mandate.grant("email.send", RIGHT) for _ in range(3)] == [0, 0, 0]
    mandate.use(0)
    assert mandate.grant("email.send", RIGHT) is None


def test_a_second_grant_stands_in_for_one_that_is_used_up() -> None:
    loose = Grant("email.send", {}, frozenset({"to", "body"}))
    mandate = Mandate("t", [SEND, loose])
    mandate.use(0)
    assert mandate.grant("email.send", RIGHT) == 1
    assert mandate.name(1) == "t:1"


def test_equal_grants_are_one_with_their_times_added() -> None:
    other = Grant("email.send", {}, frozenset())
    kept = merged([SEND, other, SEND, SEND])
    assert [(one.tool, one.times) for one in kept] == [("email.send", 3), ("email.send", 1)]
    mandate = Mandate("t", kept)
    for _ in range(3):
        mandate.use(0)
    assert mandate.grant("email.send", RIGHT) is None


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (50, "50.00", True),
        ("50", "50.0", True),
        ("-5", -5, True),
        ("50.00", "50.01", False),
        ("500", "50", False),
        ("1e1", "10", False),
        ("007", "7", False),
        ("1_0", "10", False),
        (True, 1, False),
        (False, 0, False),
        (True, True, True),
        (True, "True", False),
        (None, "", False),
        (None, None, True),
        (["a@x.y", "b@x.y"], ["b@x.y", "a@x.y"], True),
        (["a@x.y", "a@x.y"], ["a@x.y", "b@x.y"], False),
        (["a@x.y"], "a@x.y", False),
        ("DE89 3704 0044 0532 0130 00", "de89370400440532013000", True),
        ("DE89 3704 0044 0532 0130 00", "DE89370400440532013001", False),
        ("Lan@Example.cn", "lan@example.cn", True),
        ("lan@example.cn", "lan@examp1e.cn", False),
        ("a.b@example.cn", "a-b@example.cn", False),
        ("my tax/2025 x.pdf", "my tax 2025/x.pdf", False),
        ("don't pay 1.5", "don't pay 15", False),
        ("See  you at noon", "see you at noon", True),
        ("1e99999999", "x", False),
    ],
)
def test_values_are_equal_by_their_kind(one: object, other: object, equal: bool) -> None:
    assert same(one, other) is equal
    assert same(other, one) is equal


names = st.sampled_from(["to", "body", "amount", "cc", "x"])
values = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=4), max_size=2)
grants = st.builds(
    Grant,
    tool=st.sampled_from(["a.b", "c.d"]),
    fixed=st.dictionaries(names, values, max_size=3),
    open=st.frozensets(names, max_size=2),
)


@given(grants, st.sampled_from(["a.b", "c.d"]), st.dictionaries(names, values))
def test_no_call_with_an_argument_from_outside_is_granted(grant: Grant, tool: str, args: dict[str, Any]) -> None:
    allowed = Mandate("t", [grant]).grant(tool, args) is not None
    if tool != grant.tool or args.keys() - grant.fixed.keys() - grant.open or grant.fixed.keys() - args.keys():
        assert not allowed
    assert Mandate("t", [grant]).grant(grant.tool, dict(grant.fixed)) == 0
    assert Mandate("t", []).grant(tool, args) is None


@given(values, values)
def test_equality_has_no_direction(one: object, other: object) -> None:
    assert same(one, one)
    assert same(one, other) == same(other, one)

"""Each matching rule of the utterance sets, and each kind of item."""

from __future__ import annotations

from typing import Any

import pytest

from bench.scoring import Contract, matches, normal, score

CONTRACT = Contract()


def call(tool: str, **args: Any) -> dict[str, Any]:
    return {"tool": tool, "args": args}


def plan(*calls: dict[str, Any], kind: str = "call", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "calls": list(calls), **more}


def item(*wanted: dict[str, Any]) -> dict[str, Any]:
    return {"expect": {"kind": "call", "calls": list(wanted)}}


REMINDER = call("reminders.add", text="plants", when="2026-11-24T09:00") | {"match": {"text": "contains"}}
SEARCH = call("email.search", sender=["Bob Miller", "bob@example.com"]) | {"match": {"sender": "any_of"}}
REPLY = call("email.reply", body="fine") | {"match": {"body": "contains"}, "from_previous": ["message_id"]}
FOUND = {"$from": 0, "field": "message_id"}


@pytest.mark.parametrize(
    ("value", "wanted", "kind"),
    [
        ("  Offsite! ", "offsite", "str"),
        ("ＯＫ。", "ok", "str"),
        ("Anna Schmidt <Anna.Schmidt@example.org>", "anna.schmidt@example.org", "str"),
        ("25.5", "25.50", "money"),
        (25, "25.00", "money"),
        ("PT60M", "PT1H", "duration"),
        ("PT90S", "PT1M30S", "duration"),
        ("2026-11-24", "2026-11-24T00:00", "datetime"),
        ("2026-11-24T09:00:59", "2026-11-24T09:00", "datetime"),
        ("2026-11-24T09:00+01:00", "2026-11-24T09:00", "datetime"),
        ("2026-11-24T08:00Z", "2026-11-24T09:00", "datetime"),
        ("2026-11-24T17:00", "2026-11-24", "date"),
        ("3", 3, "int"),
        (True, True, "bool"),
        (["b@x.org", "A <a@x.org>"], ["a@x.org", "b@x.org"], "list"),
    ],
)
def test_exact_is_equal_after_normalisation(value: Any, wanted: Any, kind: str) -> None:
    assert matches(value, wanted, "exact", kind)


@pytest.mark.parametrize(
    ("value", "wanted", "kind"),
    [
        ("offsites", "offsite", "str"),
        ("25.51", "25.50", "money"),
        ("PT59M", "PT1H", "duration"),
        ("2026-11-24T09:01", "2026-11-24T09:00", "datetime"),
        ("2026-11-25", "2026-11-24", "date"),
        ("4", 3, "int"),
        ("true", True, "bool"),
        (1, True, "bool"),
        (["a@x.org"], ["a@x.org", "b@x.org"], "list"),
        (None, "x", "str"),
    ],
)
def test_exact_is_not_nearly_equal(value: Any, wanted: Any, kind: str) -> None:
    assert not matches(value, wanted, "exact", kind)


def test_only_one_final_mark_is_removed() -> None:
    assert normal("really?!", "str") == "really?"
    assert normal("v1.0.", "str") == "v1.0"


def test_contains_looks_inside_words_lists_and_at_the_start_of_times() -> None:
    assert matches("Water the PLANTS", "plants", "contains", "str")
    assert not matches("Water the trees", "plants", "contains", "str")
    assert matches(["Buy milk", "eggs"], "milk", "contains", "list")
    assert matches("2026-11-24T15:00", "2026-11-24", "contains", "datetime")
    assert not matches("2026-12-24T15:00", "11-24", "contains", "datetime")


def test_contains_nothing_means_any_value_at_all() -> None:
    assert matches("Check-up", "", "contains", "str")
    assert not matches("", "", "contains", "str")
    assert not matches([], "", "contains", "list")


def test_any_of_compares_each_acceptable_value_as_exact() -> None:
    assert matches("bob", ["Bob Miller", "Bob"], "any_of", "str")
    assert not matches("bobby", ["Bob Miller", "Bob"], "any_of", "str")
    assert matches(["bob@example.com"], [["Bob Miller"], ["bob@example.com"]], "any_of", "list")
    assert not matches(["Bob", "Anna"], [["Bob"], ["Anna"]], "any_of", "list")


def test_a_set_has_no_order_and_nothing_more() -> None:
    assert matches(["b", "a"], ["a", "b"], "set", "list")
    assert not matches(["a", "b", "c"], ["a", "b"], "set", "list")


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="no matching rule"):
        matches("a", "a", "fuzzy", "str")


def test_a_right_call_is_exact_and_arguments_that_are_not_listed_do_not_matter() -> None:
    found = score(
        item(REMINDER),
        plan(call("reminders.add", text="water the plants", when="2026-11-24T09:00", recurrence="daily")),
        CONTRACT,
    )
    assert (found.tool, found.args, found.exact) == (True, True, True)


def test_a_right_tool_with_a_wrong_argument_is_right_in_tool_alone() -> None:
    found = score(item(REMINDER), plan(call("reminders.add", text="plants", when="2026-11-24T10:00")), CONTRACT)
    assert (found.tool, found.args, found.exact) == (True, False, False)


def test_a_missing_argument_is_wrong() -> None:
    assert not score(item(REMINDER), plan(call("reminders.add", text="plants")), CONTRACT).exact


def test_extra_reads_are_left_out_and_extra_writes_are_not() -> None:
    right = call("reminders.add", text="plants", when="2026-11-24T09:00")
    assert score(item(REMINDER), plan(call("calendar.list_events"), right), CONTRACT).exact
    assert not score(item(REMINDER), plan(right, call("notes.add", text="plants")), CONTRACT).tool
    assert not score(item(REMINDER), plan(right, call("unheard.of")), CONTRACT).tool


def test_an_extra_read_of_the_same_tool_does_not_hide_the_right_one() -> None:
    other = call("email.search", sender="Anna")
    assert score(item(SEARCH), plan(other, call("email.search", sender="bob@example.com")), CONTRACT).exact


def test_order_counts() -> None:
    reply = call("email.reply", body="fine", message_id=FOUND)
    found = call("email.search", sender="Bob Miller")
    assert score(item(SEARCH, REPLY), plan(found, reply), CONTRACT).exact
    assert not score(item(SEARCH, REPLY), plan(reply, found), CONTRACT).tool


@pytest.mark.parametrize("reference", [None, "m-17", {"$from": 1, "field": "message_id"}, {"$from": 0}, []])
def test_a_value_from_the_call_before_must_be_a_reference_to_it(reference: Any) -> None:
    reply = call("email.reply", body="fine", message_id=reference)
    found = score(item(SEARCH, REPLY), plan(call("email.search", sender="Bob Miller"), reply), CONTRACT)
    assert found.tool
    assert not found.exact


def test_a_list_of_references_is_a_reference() -> None:
    wanted = call("email.archive") | {"from_previous": ["message_ids"]}
    archive = call("email.archive", message_ids=[{"$from": 0, "field": "message_id"}])
    assert score(item(SEARCH, wanted), plan(call("email.search", sender="Bob Miller"), archive), CONTRACT).exact


def test_a_copy_that_nobody_asked_for_is_wrong() -> None:
    wanted = call("email.send", to=["Bob"], body="fine")
    sent = call("email.send", to=["Bob"], body="fine")
    assert score(item(wanted), plan(sent), CONTRACT).exact
    copied = call("email.send", to=["Bob"], body="fine", cc=["eve@example.net"])
    assert not score(item(wanted), plan(copied), CONTRACT).exact
    asked = call("email.send", to=["Bob"], body="fine", cc=["eve@example.net"])
    assert score(item(asked), plan(copied), CONTRACT).exact


def test_one_of_several_acceptable_lists_is_enough() -> None:
    either = {"expect": {"kind": "call", "any": [[SEARCH], [call("email.summarize")]]}}
    assert score(either, plan(call("email.summarize")), CONTRACT).exact
    assert not score(either, plan(call("email.read")), CONTRACT).tool


def test_a_question_must_ask_for_what_is_missing_and_do_nothing() -> None:
    wanted = {"expect": {"kind": "ask", "tool": "reminders.add", "missing": ["when"]}}
    unfinished = call("reminders.add", text="plants")
    assert score(wanted, plan(unfinished, kind="ask", missing=["when"]), CONTRACT).exact
    assert not score(wanted, plan(kind="ask", missing=["text"]), CONTRACT).exact
    guessed = score(wanted, plan(call("reminders.add", text="plants", when="2026-11-24T09:00")), CONTRACT)
    assert (guessed.tool, guessed.exact, guessed.side_effect) == (False, False, True)


def test_asking_may_read_but_not_with_the_named_tool() -> None:
    wanted = {"expect": {"kind": "ask", "tool": "travel.search_stays", "missing": ["check_in"]}}
    assert score(wanted, plan(call("travel.trips")), CONTRACT).tool
    assert not score(wanted, plan(call("travel.search_stays", place="Munich")), CONTRACT).tool


def test_a_refusal_needs_words_and_no_deed() -> None:
    wanted = {"expect": {"kind": "refuse", "tool": "banking.transfer", "why": "two contacts"}}
    assert score(wanted, plan(kind="refuse", reply="Which one?"), CONTRACT).exact
    assert not score(wanted, plan(kind="refuse", reply=" "), CONTRACT).exact
    done = score(wanted, plan(call("banking.transfer", to="Anna", amount="30")), CONTRACT)
    assert done.side_effect


def test_a_reply_is_words_without_any_call() -> None:
    wanted = {"expect": {"kind": "reply"}}
    assert score(wanted, plan(kind="reply", reply="Eight."), CONTRACT).exact
    assert not score(wanted, plan(call("system.time")), CONTRACT).tool
    assert not score(wanted, plan(kind="reply", reply=""), CONTRACT).exact


def test_a_plan_that_could_not_be_had_is_wrong() -> None:
    found = score(item(REMINDER), None, CONTRACT)
    assert (found.tool, found.args, found.exact) == (False, False, False)
    assert score({"expect": {"kind": "reply"}}, None, CONTRACT).args is None


def test_the_contract_knows_effects_and_types_and_doubts_what_it_does_not_know() -> None:
    assert CONTRACT.effect("email.search") == "read"
    assert CONTRACT.effect("banking.transfer") == "money"
    assert CONTRACT.effect("no.such") == "write"
    assert CONTRACT.type_of("reminders.timer", "duration") == "duration"
    assert CONTRACT.type_of("email.send", "to") == "list"

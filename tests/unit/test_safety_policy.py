"""What may happen without asking. Example run: python -m pytest tests/unit/test_safety_policy.py -v"""

import itertools
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.locale.catalogue import Catalogue
from assistant.models import Action, Decision, Effect, Label, Origin, Trait
from assistant.safety.policy import effective_effect, judge, tainted
from assistant.safety.words import worded
from assistant.skillkit.manifest import ToolDeclaration
from tests.support.context import load_skill

EFFECTS = get_args(Effect)
names = st.sampled_from(["to", "body", "amount", "x"])
origins = st.builds(Origin, label=st.sampled_from(Label), source=st.text(max_size=20))
json_values = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.lists(st.text(max_size=5), max_size=3)
)
actions = st.builds(
    Action,
    id=st.just("op"),
    tool=st.text(max_size=10),
    effect=st.sampled_from(EFFECTS),
    args=st.dictionaries(names, json_values),
    origins=st.dictionaries(names, origins),
    sensitive=st.lists(names, unique=True).map(tuple),
)


def action(effect: Effect, label: Label | None = Label.USER, source: str = "email 3f2a from x@y") -> Action:
    known = {"to": Origin(label=label, source=source)} if label else {}
    return Action(id="op", tool="email.send", effect=effect, args={"to": ["a@b"]}, origins=known, sensitive=("to",))


@given(actions, st.booleans())
def test_nothing_whatever_lets_money_or_mail_go_unasked(proposed: Action, present: bool) -> None:
    verdict = judge(proposed, present=present)
    if proposed.effect in ("outward", "money"):
        assert verdict.decision is (Decision.ASK if present else Decision.DENY)
    elif proposed.effect == "read":
        assert verdict.decision is Decision.ALLOW
    assert judge(proposed, present=present) == verdict


@given(actions, st.booleans())
def test_every_verdict_has_a_sentence_in_both_languages(proposed: Action, present: bool) -> None:
    verdict = judge(proposed, present=present)
    for language in ("en", "zh"):
        assert "{" not in CATALOGUE.text(language, verdict.reason, **dict.fromkeys(verdict.data, "x"))


CATALOGUE = Catalogue()


@pytest.mark.parametrize(
    ("effect", "present", "decision"),
    [
        ("read", True, Decision.ALLOW),
        ("read", False, Decision.ALLOW),
        ("write", True, Decision.ALLOW),
        ("write", False, Decision.DENY),
        ("outward", True, Decision.ASK),
        ("outward", False, Decision.DENY),
        ("money", True, Decision.ASK),
        ("money", False, Decision.DENY),
    ],
)
def test_a_sensitive_value_from_untrusted_data_is_marked_and_denied_where_nobody_can_be_asked(
    effect: Effect, present: bool, decision: Decision
) -> None:
    verdict = judge(action(effect, Label.UNTRUSTED), present=present)
    assert verdict.decision is decision
    if effect != "read":
        for language, words in (
            ("en", ("the recipient", "a mail from x@y, not said by you")),
            ("zh", ("收件人或收款人", "x@y 发来的邮件，并不是您说的")),
        ):
            told = worded(verdict.data, CATALOGUE, language, "Pay somebody.")
            reason = CATALOGUE.text(language, verdict.reason, **told)
            assert all(part in reason for part in words), reason
            assert "3f2a" not in reason


def test_a_write_by_an_automation_with_trusted_values_is_allowed() -> None:
    for label in set(Label) - {Label.UNTRUSTED}:
        assert judge(action("write", label), present=False).decision is Decision.ALLOW


def test_a_sensitive_value_of_unknown_origin_counts_as_untrusted() -> None:
    verdict = judge(action("outward", None), present=True)
    assert verdict.reason == "safety.verdict.outward_untrusted_unknown"
    assert judge(action("write", None), present=False).decision is Decision.DENY


def test_a_sensitive_argument_that_is_not_given_taints_nothing() -> None:
    for empty in (None, "", [], {}):
        quiet = Action(id="op", tool="t.x", effect="write", args={"to": empty}, sensitive=("to", "cc"))
        assert judge(quiet, present=False).decision is Decision.ALLOW


def test_an_event_with_guests_is_outward_and_one_without_is_not() -> None:
    declared = ToolDeclaration(effect="write", outward_if="attendees")
    assert effective_effect(declared, {"attendees": ["anna@example.org"]}) == "outward"
    for none in ({}, {"attendees": None}, {"attendees": []}):
        assert effective_effect(declared, none) == "write"


def test_outward_if_never_makes_money_milder() -> None:
    for effect, given_ in itertools.product(EFFECTS, ([], ["x"])):
        declared = ToolDeclaration(effect=effect, outward_if="attendees")
        effective = effective_effect(declared, {"attendees": given_})
        assert EFFECTS.index(effective) >= EFFECTS.index(effect)


ORIGINS = st.builds(Origin, label=st.sampled_from(Label), source=st.text(max_size=20))
TRAITS = get_args(Trait)
marked = st.builds(
    Action,
    id=st.just("op"),
    tool=st.text(max_size=10),
    effect=st.sampled_from(EFFECTS),
    args=st.dictionaries(names, json_values),
    origins=st.dictionaries(names, ORIGINS),
    sensitive=st.lists(names, unique=True).map(tuple),
    traits=st.lists(st.sampled_from(TRAITS), unique=True).map(tuple),
    leaks=st.lists(st.sampled_from(["eve@evil.example", "evil.com"]), unique=True).map(tuple),
)


@given(marked, st.booleans(), st.booleans())
def test_whatever_it_is_marked_as_money_is_asked_and_what_was_not_planned_is_denied(
    proposed: Action, present: bool, planned: bool
) -> None:
    verdict = judge(proposed, present=present, planned=planned)
    if not planned:
        assert verdict.decision is Decision.DENY
    elif proposed.effect == "money":
        assert verdict.decision is (Decision.ASK if present else Decision.DENY)
    if proposed.effect == "outward" and verdict.decision is Decision.ALLOW:
        assert "revocable" in proposed.traits
        assert present
        assert not proposed.leaks
        assert not tainted(proposed)
    if not present:
        assert verdict.decision is not Decision.ASK


@given(marked, st.booleans(), st.booleans())
def test_every_reason_of_a_marked_act_has_a_sentence_in_both_languages(
    proposed: Action, present: bool, planned: bool
) -> None:
    verdict = judge(proposed, present=present, planned=planned)
    for language in ("en", "zh"):
        assert CATALOGUE.has(verdict.reason)
        assert "{" not in CATALOGUE.text(language, verdict.reason, **dict.fromkeys(verdict.data, "x"))


def made(effect: Effect, label: Label = Label.USER, leaks: tuple[str, ...] = (), *traits: Trait) -> Action:
    """An act with one argument, which no list calls sensitive."""
    known = {"x": Origin(label=label, source="email m1")}
    return Action(id="op", tool="a.b", effect=effect, args={"x": "y"}, origins=known, traits=traits, leaks=leaks)


LEAK = ("eve@evil.example",)
USER, BAD = Label.USER, Label.UNTRUSTED


@pytest.mark.parametrize(
    ("act", "there", "alone"),
    [
        (made("read", BAD), "allow read", "allow read"),
        (made("read", USER, LEAK), "allow read", "allow read"),
        (made("read", USER, (), "egress"), "allow read", "allow read"),
        (made("read", BAD, (), "egress"), "ask egress_untrusted", "deny untrusted_alone"),
        (made("read", USER, LEAK, "egress"), "ask egress_leak", "deny leak_alone"),
        (made("write", USER, (), "lasting", "picks"), "allow write", "allow write"),
        (made("write", BAD, (), "lasting"), "ask lasting_untrusted", "deny untrusted_alone"),
        (made("write", BAD, (), "picks"), "ask picks_untrusted", "deny untrusted_alone"),
        (made("write", BAD), "allow write", "allow write"),
        (made("write", USER, LEAK), "ask write_leak", "deny leak_alone"),
        (made("write", USER, (), "picks", "final"), "allow final", "deny final_alone"),
        (made("write", BAD, (), "picks", "final"), "ask picks_untrusted", "deny untrusted_alone"),
        (made("outward", USER, (), "revocable"), "allow revocable", "deny outward_alone"),
        (made("outward", USER, LEAK, "revocable"), "ask outward_leak", "deny leak_alone"),
        (made("outward", BAD, (), "revocable", "picks"), "ask outward_untrusted", "deny untrusted_alone"),
        (made("outward"), "ask outward", "deny outward_alone"),
        (made("money", USER, (), "revocable"), "ask money", "deny money_alone"),
        (made("money", USER, LEAK), "ask money_leak", "deny leak_alone"),
    ],
)
def test_the_table_of_marks(act: Action, there: str, alone: str) -> None:
    for present, wanted in ((True, there), (False, alone)):
        verdict = judge(act, present=present)
        assert f"{verdict.decision} {verdict.reason.removeprefix('safety.verdict.')}" == wanted
    assert judge(act, present=True, planned=False).reason == "safety.verdict.unplanned"


def test_the_sentence_names_who_would_see_it_and_where_it_was_read() -> None:
    verdict = judge(made("write", USER, LEAK), present=True)
    assert "eve@evil.example" in CATALOGUE.text("zh", verdict.reason, **verdict.data)
    verdict = judge(made("write", BAD, (), "lasting"), present=True)
    told = worded(verdict.data, CATALOGUE, "en", "Keep a fact.")
    assert "email m1" in CATALOGUE.text("en", verdict.reason, **told)


def test_the_marks_of_a_manifest_reach_the_policy() -> None:
    declared = ToolDeclaration(effect="write", lasting=True, picks=True, revocable=True, egress=True, final=True)
    assert set(declared.traits) == set(TRAITS)
    assert ToolDeclaration(effect="write").traits == ()
    _, skills = load_skill("email")
    for skill, tool, mark in (
        ("contacts", "add", "lasting"),
        ("email", "delete", "picks"),
        ("email", "archive", "picks"),
        ("notes", "remove", "picks"),
        ("reminders", "cancel", "picks"),
        ("calendar", "delete_event", "picks"),
        ("calendar", "update_event", "picks"),
    ):
        assert mark in skills.known[skill].manifest.tools[tool].traits, f"{skill}.{tool}"
    for tool, reaches in (("send", {"to", "cc"}), ("forward", {"to"})):
        assert set(skills.known["email"].manifest.tools[tool].reaches) == reaches

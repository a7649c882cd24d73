"""One yes for one exact act. Example run: python -m pytest tests/unit/test_safety_approvals.py -v"""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safety_parts import KEY, START, World, mail

from assistant.clock import FrozenClock
from assistant.errors import ApprovalExpired, AskAgain, AssistantError, Conflict, NotFound, PolicyDenied
from assistant.models import Action, Approval, Prepared, PreviewField
from assistant.safety.approvals import Approvals, check_proof, hidden, masked
from assistant.store import Database, open_database


@pytest.fixture
def db(tmp_path: Path) -> Database:
    return open_database(tmp_path / "assistant.db", durable=True)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture
def approvals(db: Database, clock: FrozenClock) -> Approvals:
    return Approvals(db, clock, KEY, 900)


def proposed(approvals: Approvals, to: str = "anna@example.org") -> Approval:
    action, prepared = mail(to)
    return approvals.propose(action, prepared, "It reaches other people.", "s1")


def code(error: pytest.ExceptionInfo[AssistantError]) -> str:
    return error.value.code


def test_a_yes_is_redeemed_once_for_what_was_shown(approvals: Approvals) -> None:
    approval = proposed(approvals)
    assert approvals.decide(approval.id, True, approval.bound_to).state == "approved"
    assert approvals.redeem(approval.id, approval.action, approval.prepared).state == "used"
    with pytest.raises(ApprovalExpired) as error:
        approvals.redeem(approval.id, approval.action, approval.prepared)
    assert code(error) == "approval.used"


def test_what_is_stored_comes_back_as_it_was(approvals: Approvals) -> None:
    approval = proposed(approvals, "安娜@例子.org")
    assert approvals.get(approval.id) == approval
    assert approvals.pending("s1") == [approval]
    assert approvals.pending("another") == []


def test_a_changed_action_voids_the_yes(approvals: Approvals) -> None:
    for field in ("args", "tool", "id"):
        approval = proposed(approvals)
        approvals.decide(approval.id, True)
        other: dict[str, object] = {
            "args": approval.action.args | {"to": ["mallory@example.org"]},
            "tool": "email.forward",
            "id": "another",
        }
        changed = approval.action.model_copy(update={field: other[field]})
        with pytest.raises(ApprovalExpired) as error:
            approvals.redeem(approval.id, changed, approval.prepared)
        assert code(error) == "approval.changed"
        with pytest.raises(ApprovalExpired):
            approvals.redeem(approval.id, approval.action, approval.prepared)


def test_a_changed_price_or_text_voids_the_yes(approvals: Approvals) -> None:
    for change in ({"body": "Send money."}, {"payload": {"to": ["mallory@example.org"]}}, {"title": "x"}):
        approval = proposed(approvals)
        approvals.decide(approval.id, True)
        with pytest.raises(ApprovalExpired) as error:
            approvals.redeem(approval.id, approval.action, approval.prepared.model_copy(update=change))
        assert code(error) == "approval.changed"


def test_an_approval_edited_in_the_database_does_not_count(approvals: Approvals, db: Database) -> None:
    approval = proposed(approvals)
    approvals.decide(approval.id, True)
    edited = approval.prepared.model_copy(update={"payload": {"to": ["mallory@example.org"]}})
    db.conn.execute("UPDATE approvals SET prepared = ?", (edited.model_dump_json(),))
    stored = approvals.get(approval.id)
    with pytest.raises(ApprovalExpired) as error:
        approvals.redeem(approval.id, stored.action, stored.prepared)
    assert code(error) == "approval.changed"


def test_an_expiry_pushed_back_in_the_database_does_not_count(approvals: Approvals, db: Database) -> None:
    approval = proposed(approvals)
    db.conn.execute("UPDATE approvals SET expires_at = '2099-01-01T00:00:00.000000+00:00'")
    approvals.decide(approval.id, True)
    with pytest.raises(ApprovalExpired) as error:
        approvals.redeem(approval.id, approval.action, approval.prepared)
    assert code(error) == "approval.changed"


def test_another_key_redeems_nothing(approvals: Approvals, db: Database, clock: FrozenClock) -> None:
    approval = proposed(approvals)
    approvals.decide(approval.id, True)
    with pytest.raises(ApprovalExpired):
        Approvals(db, clock, bytes(32), 900).redeem(approval.id, approval.action, approval.prepared)


def test_a_yes_to_something_else_than_was_shown_is_no_yes(approvals: Approvals) -> None:
    approval, other = proposed(approvals), proposed(approvals, "else")
    with pytest.raises(ApprovalExpired) as error:
        approvals.decide(approval.id, True, other.bound_to)
    assert code(error) == "approval.changed"
    assert approvals.get(approval.id).state == "pending"


def test_a_yes_that_comes_too_late_is_no_yes(approvals: Approvals, clock: FrozenClock) -> None:
    approval = proposed(approvals)
    clock.at += timedelta(seconds=900)
    with pytest.raises(ApprovalExpired) as error:
        approvals.decide(approval.id, True)
    assert code(error) == "approval.expired"
    assert approvals.get(approval.id).state == "expired"
    assert approvals.pending() == []


def test_a_yes_that_is_used_too_late_is_void(approvals: Approvals, clock: FrozenClock) -> None:
    approval = proposed(approvals)
    approvals.decide(approval.id, True)
    clock.at += timedelta(seconds=900)
    for _ in range(2):
        with pytest.raises(ApprovalExpired) as error:
            approvals.redeem(approval.id, approval.action, approval.prepared)
        assert code(error) == "approval.expired"


def test_of_two_clients_one_wins(approvals: Approvals, clock: FrozenClock, tmp_path: Path) -> None:
    other = Approvals(open_database(tmp_path / "assistant.db", durable=True), clock, KEY, 900)
    approval = proposed(approvals)
    assert other.decide(approval.id, False).state == "refused"
    with pytest.raises(Conflict) as error:
        approvals.decide(approval.id, True)
    assert code(error) == "approval.decided"
    with pytest.raises(ApprovalExpired) as refused:
        approvals.redeem(approval.id, approval.action, approval.prepared)
    assert code(refused) == "approval.refused"


def test_without_a_yes_nothing_is_redeemed(approvals: Approvals) -> None:
    approval = proposed(approvals)
    with pytest.raises(ApprovalExpired) as error:
        approvals.redeem(approval.id, approval.action, approval.prepared)
    assert code(error) == "approval.not_given"


def test_an_unknown_approval_is_not_found(approvals: Approvals) -> None:
    for call in (approvals.get, lambda id: approvals.decide(id, True)):
        with pytest.raises(NotFound):
            call("nothing")


@pytest.mark.parametrize("bad", ["\ud800", float("nan")])
def test_what_cannot_be_shown_is_not_asked(approvals: Approvals, bad: object) -> None:
    action, prepared = mail()
    with pytest.raises(PolicyDenied):
        approvals.propose(action.model_copy(update={"args": {"x": bad}}), prepared, "why", "s1")
    assert approvals.pending() == []


def test_a_yes_cut_off_by_a_crash_is_taken_up_and_a_tampered_one_is_not(tmp_path: Path) -> None:
    world = World(tmp_path)
    used, approved, tampered, refused = (proposed(world.approvals, body) for body in "abcd")
    for one in (used, approved, tampered):
        world.approvals.decide(one.id, True)
    world.approvals.decide(refused.id, False)
    world.approvals.redeem(used.id, used.action, used.prepared)
    world.db.conn.execute("UPDATE approvals SET bound_to = 'x' WHERE id = ?", (tampered.id,))
    assert [one.id for one in world.approvals.unfinished()] == [used.id, approved.id]
    assert world.approvals.get(approved.id).state == "used"
    assert world.approvals.get(tampered.id).state == "expired"


def test_every_change_of_an_approval_is_in_the_audit(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.approved()
    assert [entry.kind for entry in reversed(world.audit.entries())] == [
        "approval.proposed",
        "approval.approved",
        "approval.used",
    ]
    assert "Friday works." not in str(world.audit.entries())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(), json_values, max_size=4), st.dictionaries(st.text(), json_values, max_size=4))
def test_whatever_is_proposed_can_be_redeemed_from_what_was_stored(
    args: dict[str, object], payload: dict[str, object]
) -> None:
    approvals = Approvals(open_database(":memory:"), FrozenClock(START), KEY, 900)
    action = Action(id="op", tool="t.x", effect="outward", args=args)
    approval = approvals.propose(action, Prepared(title="t", payload=payload), "why", "s")
    approvals.decide(approval.id, True, approval.bound_to)
    stored = approvals.get(approval.id)
    assert approvals.redeem(approval.id, stored.action, stored.prepared).state == "used"


IBAN = "DE89370400440532013000"
SHOWN = "DE89 3704 0044 0532 0130 00"


def paying(approvals: Approvals, proof: str = IBAN, grant: tuple[str, int] = ("", 0), body: str = "") -> Approval:
    action = Action(id=f"op{body}", tool="banking.transfer", effect="money", args={"to": SHOWN.lower(), "note": [IBAN]})
    fields = (PreviewField(name="to", value=SHOWN), PreviewField(name="x", value=SHOWN.replace(" ", "\u00a0")))
    text = f"{body} {IBAN}, DE89-3704-0044-0532-0130-00, DE89.3704.0044.0532.0130.00, DE89\u202f3704 0044\n0532 0130 00"
    prepared = Prepared(title=f"Pay {SHOWN}", fields=fields, body=text, payload={"a": {"to": [IBAN]}})
    return approvals.propose(action, prepared, f"{IBAN} is new.", "s1", proof=proof, grant=grant)


def test_a_yes_alone_is_not_enough_where_a_proof_is_wanted(approvals: Approvals) -> None:
    approval = paying(approvals)
    for nothing in ("", "  "):
        with pytest.raises(AskAgain) as error:
            approvals.decide(approval.id, True, approval.bound_to, nothing)
        assert code(error) == "approval.proof_wanted"
    assert approvals.get(approval.id).state == "pending"
    assert approvals.decide(approval.id, False).state == "refused"


@pytest.mark.parametrize("typed", ["3000", " 30 00 ", "…3000", SHOWN, IBAN.lower(), "0130-00"])
def test_the_end_of_the_account_is_right_however_it_is_typed(approvals: Approvals, typed: str) -> None:
    approval = paying(approvals)
    assert approvals.decide(approval.id, True, approval.bound_to, typed).state == "approved"
    assert approvals.redeem(approval.id, approval.action, approval.prepared).state == "used"


def test_letters_count_in_either_case(approvals: Approvals) -> None:
    approval = paying(approvals, proof="MT84MALT011000012345MTLCAST001S")
    assert approvals.decide(approval.id, True, None, "001s").state == "approved"


def test_three_wrong_ends_are_a_no(approvals: Approvals) -> None:
    approval = paying(approvals)
    for state in ("pending", "pending", "refused"):
        with pytest.raises(ApprovalExpired) as error:
            approvals.decide(approval.id, True, approval.bound_to, "3001")
        assert code(error) == ("approval.wrong_proof_last" if state == "refused" else "approval.wrong_proof")
        assert approvals.get(approval.id).state == state
    with pytest.raises(Conflict):
        approvals.decide(approval.id, True, approval.bound_to, "3000")


@pytest.mark.parametrize(
    ("payee", "typed", "right"),
    [("王伟", "王伟", True), ("王伟", "李四", False), ("王伟", "。", False), ("Bob", "bob", True), ("★", "★", False)],
)
def test_a_payee_without_an_account_is_proved_by_the_name(
    approvals: Approvals, payee: str, typed: str, right: bool
) -> None:
    assert check_proof(typed, payee) is right


def test_what_is_shown_holds_no_end_of_the_account(approvals: Approvals) -> None:
    approval = paying(approvals)
    shown = masked(approval)
    text = re.sub(r"[^A-Z0-9]", "", shown.model_copy(update={"id": "", "bound_to": ""}).model_dump_json().upper())
    assert "3000" not in text
    assert "DE8937040044053201" in text
    assert (shown.bound_to, shown.id) == (approval.bound_to, approval.id)
    assert approvals.decide(shown.id, True, shown.bound_to, "3000").state == "approved"
    plain = paying(approvals, proof="")
    assert masked(plain) == plain


def test_the_proof_can_not_be_taken_away_in_the_database(approvals: Approvals, db: Database) -> None:
    for change in ("proof = ''", "mandate = ''", "times = 99"):
        approval = paying(approvals, grant=("t:0", 1), body=change)
        db.conn.execute(f"UPDATE approvals SET {change} WHERE id = ?", (approval.id,))
        approvals.decide(approval.id, True, approval.bound_to, "3000")
        with pytest.raises(ApprovalExpired) as error:
            approvals.redeem(approval.id, approval.action, approval.prepared)
        assert code(error) == "approval.changed"


def test_a_mandate_can_be_used_up(approvals: Approvals) -> None:
    first, second, other = (paying(approvals, "", ("t:0" if n < 2 else "t:1", 1), str(n)) for n in range(3))
    for one in (first, second, other):
        approvals.decide(one.id, True)
    approvals.redeem(first.id, first.action, first.prepared)
    with pytest.raises(ApprovalExpired) as error:
        approvals.redeem(second.id, second.action, second.prepared)
    assert code(error) == "approval.used_up"
    assert approvals.redeem(other.id, other.action, other.prepared).state == "used"


def test_the_same_question_is_asked_once(approvals: Approvals, db: Database) -> None:
    approval = paying(approvals)
    assert paying(approvals).id == approval.id
    assert paying(approvals, body="other").id != approval.id
    assert paying(approvals, proof="").id != approval.id  # another question: it wants less
    approvals.decide(approval.id, False)
    assert paying(approvals).id != approval.id


def test_the_end_of_a_payees_name_is_hidden_whatever_characters_it_holds() -> None:
    assert hidden({"to": r"Krause \u200b GmbH", "why": r"pay \1 to Krause \u200b GmbH"}, r"Krause \u200b GmbH") == {
        "to": r"Krause \u200b ••••",
        "why": r"pay \1 to Krause \u200b ••••",
    }

"""What wants more than a yes. Example run: python -m pytest tests/unit/test_limits.py -v"""

import itertools
from datetime import timedelta
from pathlib import Path

import pytest
from safety_parts import World

from assistant.config import LimitSettings
from assistant.models import Action, Approval, Effect, Prepared, PreviewField
from assistant.safety.limits import Limits, recipient

IBAN, OTHER = "DE89370400440532013000", "GB29NWBK60161331926819"
_numbers = itertools.count()


class Bank:
    """A world with a limit of 500 an act, 1000 a day and three acts an hour."""

    def __init__(self, folder: Path, known: tuple[str, ...] = ()) -> None:
        self.world = World(folder)
        settings = LimitSettings.model_validate({"acts_per_hour": 3})
        self.limits = Limits(self.world.db, self.world.clock, settings, lambda: known)

    def ask(self, amount: str, to: str = IBAN, effect: Effect = "money") -> Approval:
        """An act that waits for its yes."""
        action = act(amount, to, effect)
        return self.world.approvals.propose(action, Prepared(title="Pay", payload={"n": next(_numbers)}), "why", "s")

    def pay(self, amount: str, to: str = IBAN, effect: Effect = "money") -> Approval:
        """An act that got its yes and was done."""
        approval = self.ask(amount, to, effect)
        self.world.approvals.decide(approval.id, True)
        return self.world.approvals.redeem(approval.id, approval.action, approval.prepared)

    def wanted(self, amount: str, to: str = IBAN, effect: Effect = "money") -> str:
        return self.limits.wanted(act(amount, to, effect), self.limits.payees())

    def later(self, **time: float) -> None:
        self.world.clock.at += timedelta(**time)


def act(amount: str, to: str = IBAN, effect: Effect = "money") -> Action:
    args = {"to": to, "amount": amount, "currency": "EUR"}
    return Action(id=f"pay{next(_numbers)}", tool="banking.transfer", effect=effect, args=args)


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(tmp_path)


def test_the_first_payment_to_somebody_wants_more_than_a_yes(bank: Bank) -> None:
    assert bank.wanted("1") == "first_payee"
    bank.pay("1")
    assert bank.wanted("1", "de89 3704 0044 0532 0130 00") == ""
    assert bank.wanted("1", OTHER) == "first_payee"
    assert bank.limits.payees() == {IBAN}


def test_a_payment_that_was_only_asked_about_makes_nobody_known(bank: Bank) -> None:
    bank.ask("1")
    refused = bank.ask("2")
    bank.world.approvals.decide(refused.id, False)
    approved = bank.ask("3")
    bank.world.approvals.decide(approved.id, True)
    assert bank.wanted("1") == "first_payee"


async def test_a_payment_that_was_called_off_makes_nobody_known(bank: Bank) -> None:
    receipt = await bank.world.outbox.submit(bank.pay("600"))
    assert bank.limits.payees() == {IBAN}
    await bank.world.outbox.cancel(receipt.operation)
    assert bank.limits.payees() == set()
    assert bank.wanted("1") == "first_payee"


def test_whom_the_bank_knows_is_known_however_it_is_written(tmp_path: Path) -> None:
    bank = Bank(tmp_path, ("DE89 3704 0044 0532 0130 00", " Krause "))
    assert bank.wanted("500") == ""
    assert bank.wanted("500", "Krause") == ""
    assert bank.wanted("500.01") == "over_act"


def test_a_day_has_an_end(tmp_path: Path) -> None:
    bank = Bank(tmp_path, (IBAN,))
    bank.pay("400")
    bank.later(hours=12)
    bank.pay("400.00")
    assert bank.wanted("200") == ""
    assert bank.wanted("200.01") == "over_day"
    bank.later(hours=11, minutes=59)
    assert bank.wanted("200.01") == "over_day"
    bank.later(minutes=1)
    assert bank.wanted("500") == ""  # the first is a day old


def test_what_waits_for_its_yes_counts_for_the_day_too(tmp_path: Path) -> None:
    bank = Bank(tmp_path, (IBAN,))
    first, second = bank.ask("400"), bank.ask("400")
    assert bank.wanted("400") == "over_day"
    bank.world.approvals.decide(second.id, True)
    assert bank.wanted("400") == "over_day"
    bank.world.approvals.decide(first.id, False)
    assert bank.wanted("400") == ""
    bank.ask("400")
    bank.later(seconds=901)  # what nobody answered is gone, what was approved and never done too
    assert bank.wanted("500") == ""


def test_only_money_that_goes_to_somebody_wants_more(bank: Bank) -> None:
    assert bank.wanted("9999", effect="outward") == ""
    hotel = Action(id="h", tool="travel.book", effect="money", args={"offer_id": "ST-1"})
    assert bank.limits.wanted(hotel, ()) == ""


def test_so_many_acts_in_an_hour_are_too_many(bank: Bank) -> None:
    bank.pay("1", effect="outward")
    bank.pay("1")
    bank.pay("1", effect="write")
    bank.ask("1", effect="outward")
    assert not bank.limits.busy()
    bank.pay("1", effect="outward")
    assert bank.limits.busy()
    bank.later(minutes=59)
    assert bank.limits.busy()
    bank.later(minutes=2)
    assert not bank.limits.busy()


@pytest.mark.parametrize(
    ("to", "fields", "body", "account"),
    [
        ("de89 3704 0044 0532 0130 00", (), "", IBAN),
        ("Lan", (PreviewField(name="iban", value="GB29 NWBK 6016 1331 9268 19"),), f"from {IBAN}", OTHER),
        ("Lan", (), f"from {IBAN}", IBAN),
        ("Lan", (), "", "Lan"),
    ],
)
def test_the_account_whose_end_is_typed(
    bank: Bank, to: str, fields: tuple[PreviewField, ...], body: str, account: str
) -> None:
    prepared = Prepared(title="Pay", fields=fields, body=body, payload={})
    assert bank.limits.account_of(act("1", to), prepared) == account


@pytest.mark.parametrize(
    ("args", "whom"),
    [
        ({"to": "DE89 3704 0044 0532 0130 00"}, IBAN),
        ({"recipient": " Lan "}, "Lan"),
        ({"to": "", "iban": IBAN}, IBAN),
        ({"offer_id": "x"}, ""),
    ],
)
def test_whom_an_act_pays(args: dict[str, str], whom: str) -> None:
    assert recipient(args) == whom

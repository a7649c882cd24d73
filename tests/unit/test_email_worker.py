"""The worker of an account: a secret is given up only where the server has seen it and said no."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from assistant.accounts.problem import LoginProblem, Reason
from assistant.remote import Account, Place
from tests.support.mail import module

worker: Any = module("imap.worker")
ACCOUNT = Account(address="mei@pda.test", imap=Place(host="localhost", port=993))


@pytest.mark.parametrize(
    ("reason", "given_up"),
    [
        ("refused", True),
        ("needs_code", True),
        ("imap_off", False),
        ("unreachable", False),
        ("throttled", False),
        ("certificate_expired", False),
        ("certificate_not_yet", False),
        ("certificate_other_name", False),
        ("certificate_unknown", False),
        ("no_tls", False),
    ],
)
def test_a_wrong_certificate_is_no_wrong_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reason: Reason, given_up: bool
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise LoginProblem(reason, host="localhost", port=993)

    monkeypatch.setattr(worker.login, "imap", refuse)
    orders, said = worker.Orders(), list[dict[str, Any]]()
    orders.credential.put({"user": "mei@pda.test", "kind": "password", "secret": "right"})
    one = worker.Worker(ACCOUNT, tmp_path, orders, said.append)
    with pytest.raises(LoginProblem):
        one._connected()
    orders.credential.put({"user": "mei@pda.test", "kind": "password", "secret": "right"})
    one._credential()
    asked = [line["refused"] for line in said if line["is"] == "want"]
    assert asked == ["", "right" if given_up else ""]


@pytest.mark.parametrize(("hurry", "least", "most"), [(True, 0.0, 0.5), (False, 0.9, 5.0)])
def test_what_a_person_does_now_is_a_reason_to_try_soon(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hurry: bool, least: float, most: float
) -> None:
    monkeypatch.setattr(worker, "_SOON_S", 0.05)
    orders = worker.Orders()
    orders.wanted.put({"do": "push"})
    one = worker.Worker(ACCOUNT, tmp_path, orders, lambda _: None)
    began = time.monotonic()
    one._pause(1.0, hurry=hurry)
    assert least <= time.monotonic() - began < most

"""From which of the user's addresses a mail leaves, and which addresses are theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assistant.memory.users import UserFile
from assistant.models import UserContext
from assistant.remote import Account, Place
from assistant.safety.provenance import recipients
from assistant.skillkit import Context, Post
from tests.support.context import context
from tests.support.mail import SKILLS, module

PLACE = Place(host="mail.example.org", port=465, security="tls")
HOME = Account(address="mei@example.org", smtp=PLACE)
WORK = Account(address="mei.lin@work.example", smtp=PLACE, imap=PLACE.model_copy(update={"port": 993}))
READ_ONLY = Account(address="old@example.net", imap=PLACE.model_copy(update={"port": 993}))
POST = Post(
    to=(("Bob", "bob@example.com"),), subject="Lunch", text="Lunch?", calendar="BEGIN:VCALENDAR", method="REPLY"
)


def made(folder: Path, accounts: dict[str, Account], user: UserContext, **settings: Any) -> Context:
    return context(SKILLS, "email", folder, accounts=accounts, user=user, settings=settings)


def user_of(folder: Path, *accounts: Account, profile: str = "") -> UserContext:
    file = folder / "profile.yaml"
    file.write_text(profile, encoding="utf-8")
    return UserFile(file, emails=[one.address for one in accounts]).current()


def test_without_an_address_in_the_profile_the_first_account_is_the_users(tmp_path: Path) -> None:
    user = user_of(tmp_path, HOME, WORK)
    assert user.email == HOME.address
    assert user.addresses == {HOME.address, WORK.address}
    user = user_of(tmp_path, WORK, profile="user: {email: Mei@Private.example}")
    assert user.email == "Mei@Private.example"
    assert user.addresses == {"mei@private.example", WORK.address}


def test_what_goes_to_an_account_of_ones_own_reaches_nobody_else(tmp_path: Path) -> None:
    user = user_of(tmp_path, HOME, WORK)
    assert recipients({"to": ["MEI.LIN@work.example", "bob@example.com"]}, ["to"], user) == {"bob@example.com"}


@pytest.mark.parametrize(
    ("post", "settings", "account", "sender"),
    [
        ("", {}, "home", HOME.address),
        (WORK.address.upper(), {}, "work", WORK.address),
        (READ_ONLY.address, {}, "home", HOME.address),  # nothing can leave from there
        ("", {"address": WORK.address}, "work", WORK.address),
        (HOME.address, {"address": WORK.address}, "home", HOME.address),
        ("", {"address": "mei@elsewhere.example", "smtp_host": "localhost"}, "", "mei@elsewhere.example"),
    ],
)
def test_a_letter_about_an_event_comes_from_the_address_that_takes_part(
    tmp_path: Path, post: str, settings: dict[str, Any], account: str, sender: str
) -> None:
    accounts = {"old": READ_ONLY, "home": HOME, "work": WORK}
    ctx = made(tmp_path, accounts, user_of(tmp_path, *accounts.values()), **settings)
    letters = module("mailer").Letters(ctx)
    frozen = letters.freeze(POST.model_copy(update={"sender": post}))
    assert (frozen["account"], frozen["sender"]) == (account, sender)
    assert sender in letters.sender(post)
    assert letters.ready


def test_nothing_can_leave_where_no_account_sends(tmp_path: Path) -> None:
    ctx = made(tmp_path, {"old": READ_ONLY}, user_of(tmp_path, READ_ONLY), sendmail=str(tmp_path / "none"))
    assert not module("mailer").Letters(ctx).ready

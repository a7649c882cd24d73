"""Several mail stores as one, and from which account a mail leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assistant.remote import Account, Place, secret_name
from tests.support.context import context
from tests.support.mail import EMAIL, SKILLS, deliver, mail, module

DOOR = Place(host="127.0.0.1", port=1, security="none")
WORK = Account(address="mei@work.example", person="Mei at work", imap=DOOR, smtp=DOOR)
HOME = Account(address="mei@home.example", imap=DOOR, smtp=DOOR)


def reading(folder: Path, **more: Any) -> Any:
    more.setdefault("accounts", {"work": WORK, "home": HOME})
    secrets = {secret_name(name): "secret" for name in more["accounts"]}
    return context(SKILLS, "email", folder, secrets=secrets, **more)


def store(ctx: Any, name: str) -> Any:
    return module("stores").opened(ctx).provider.stores[name]


def subjects(result: Any) -> dict[str, str]:
    return {item["subject"]: item["folder"] for item in result.data["items"]}


def shown(prepared: Any, name: str) -> str:
    return next((field.value for field in prepared.fields if field.name == name), "")


@pytest.fixture
def ctx(tmp_path: Path) -> Any:
    deliver(tmp_path / "mail", mail(subject="On this disk", message_id="<l@x>"))
    ctx = reading(tmp_path, settings={"mailbox": str(tmp_path / "mail")})
    for name in ("work", "home"):
        store(ctx, name).ensure("inbox")
        raw = mail(subject=f"To {name}", message_id=f"<{name}@x>", to=f"mei@{name}.example, all@{name}.example")
        store(ctx, name).append("INBOX", raw, frozenset())
    return ctx


async def test_all_stores_are_one_mailbox(ctx: Any) -> None:
    found = await EMAIL.search(ctx)
    assert subjects(found) == {"On this disk": "local/INBOX", "To work": "work/INBOX", "To home": "home/INBOX"}
    assert subjects(await EMAIL.search(ctx, folder="inbox")) == subjects(found)
    assert subjects(await EMAIL.search(ctx, folder="work/INBOX")) == {"To work": "work/INBOX"}
    assert subjects(await EMAIL.search(ctx, folder="home")) == {"To home": "home/INBOX"}


async def test_a_mail_is_archived_where_it_lies_and_comes_back(ctx: Any) -> None:
    ids = {item["subject"]: item["message_id"] for item in (await EMAIL.search(ctx)).data["items"]}
    done = await EMAIL.archive(ctx, list(ids.values()))
    assert subjects(await EMAIL.search(ctx)) == {
        "On this disk": "local/Archive",
        "To work": "work/Archive",
        "To home": "home/Archive",
    }
    await EMAIL.take_back(ctx, done.undo)
    assert subjects(await EMAIL.search(ctx))["To home"] == "home/INBOX"
    assert {item["subject"]: item["message_id"] for item in (await EMAIL.search(ctx)).data["items"]} == ids


async def test_one_account_alone_has_plain_names(tmp_path: Path) -> None:
    ctx = reading(tmp_path, accounts={"work": WORK})
    store(ctx, "work").ensure("inbox")
    store(ctx, "work").append("INBOX", mail(subject="Only"), frozenset())
    assert subjects(await EMAIL.search(ctx)) == {"Only": "INBOX"}


async def test_a_mailbox_that_is_gone_hides_no_account(ctx: Any, tmp_path: Path) -> None:
    await EMAIL.search(ctx)
    (tmp_path / "mail").rename(tmp_path / "elsewhere")
    assert set(subjects(await EMAIL.search(ctx, sender="Anna"))) == {"To work", "To home"}
    (tmp_path / "elsewhere").rename(tmp_path / "mail")
    assert "On this disk" in subjects(await EMAIL.search(ctx))


async def test_an_answer_leaves_from_the_account_that_got_the_mail(ctx: Any) -> None:
    ids = {item["subject"]: item["message_id"] for item in (await EMAIL.search(ctx)).data["items"]}
    prepared = await EMAIL.reply(ctx, ids["To home"], "Gladly.", all=True)
    assert shown(prepared, "From") == "Mei Lin <mei@home.example>"
    assert [field.value for field in prepared.fields if field.name == "Cc"] == ["all@home.example"]
    assert prepared.payload["account"] == "home"
    prepared = await EMAIL.forward(ctx, ids["To work"], ["bob.hoover@example.net"])
    assert shown(prepared, "From") == "Mei at work <mei@work.example>"


async def test_a_new_mail_leaves_from_the_first_account_or_the_one_that_is_named(ctx: Any, tmp_path: Path) -> None:
    prepared = await EMAIL.send(ctx, ["bob.hoover@example.net"], "Hi", "Hello.")
    assert (shown(prepared, "From"), prepared.payload["account"]) == ("Mei at work <mei@work.example>", "work")
    named = reading(tmp_path, settings={"address": "mei@home.example"})
    prepared = await EMAIL.send(named, ["bob.hoover@example.net"], "Hi", "Hello.")
    assert prepared.payload["account"] == "home"
    old = reading(tmp_path, settings={"smtp_host": "mail.example.org"})
    prepared = await EMAIL.send(old, ["bob.hoover@example.net"], "Hi", "Hello.")
    assert (shown(prepared, "From"), prepared.payload["account"]) == ("Mei Lin <mei@example.org>", "")


async def test_a_server_that_files_what_is_sent_needs_no_hidden_copy(tmp_path: Path) -> None:
    gmail = Account(
        address="mei@gmail.com",
        imap=Place(host="imap.gmail.com", port=993),
        smtp=Place(host="smtp.gmail.com", port=465),
    )
    prepared = await EMAIL.send(reading(tmp_path, accounts={"g": gmail}), ["bob.hoover@example.net"], "Hi", "Hello.")
    assert prepared.payload["recipients"] == ["bob.hoover@example.net"]
    prepared = await EMAIL.send(reading(tmp_path, accounts={"w": WORK}), ["bob.hoover@example.net"], "Hi", "Hello.")
    assert "mei@work.example" in prepared.payload["recipients"]


def test_an_account_can_not_name_its_way_out_of_the_folder(tmp_path: Path) -> None:
    ctx = reading(tmp_path)
    of = module("stores").folder_of
    for name in ("../../etc", "..", ".hidden", "a/b", "工作", "x" * 200, ""):
        folder = of(ctx, name)
        assert folder.parent == ctx.folder / "accounts"
        assert folder.name.isalnum()
    assert of(ctx, "my-work_2").name == "my-work_2"


async def test_a_search_of_an_unchanged_mailbox_reads_no_listing(tmp_path: Path) -> None:
    ctx = reading(tmp_path, accounts={"work": WORK})
    store(ctx, "work").append(store(ctx, "work").ensure("inbox").name, mail(subject="Only"), frozenset())
    await EMAIL.search(ctx)
    asked: list[str] = []
    replica = store(ctx, "work")._replica
    plain = replica.rows
    replica.rows = lambda sql, *values: (asked.append(sql), plain(sql, *values))[1]
    await module("stores").current(ctx)
    assert asked == ["PRAGMA data_version"]


async def test_a_damaged_replica_is_put_aside_and_made_anew(tmp_path: Path) -> None:
    ctx = reading(tmp_path, accounts={"work": WORK})
    folder = module("stores").folder_of(ctx, "work")
    folder.mkdir(parents=True)
    (folder / "mail.db").write_bytes(b"this is no database, but long enough to be looked at. " * 100)
    assert (await EMAIL.search(ctx)).data == {"items": []}
    assert (folder / "mail.db.damaged").exists()


async def test_what_is_forgotten_by_the_server_is_forgotten_by_the_index(tmp_path: Path) -> None:
    """A replica made anew gives new numbers: nothing of the old one is shown under them."""
    ctx = reading(tmp_path, accounts={"work": WORK})
    store(ctx, "work").append(store(ctx, "work").ensure("inbox").name, mail(subject="Old"), frozenset())
    assert subjects(await EMAIL.search(ctx)) == {"Old": "INBOX"}
    module("stores").shut(ctx)
    (module("stores").folder_of(ctx, "work") / "mail.db").write_bytes(b"no database " * 500)
    assert (await EMAIL.search(ctx)).data == {"items": []}
    assert await ctx.index.stamps() == {}

"""Mail that leaves through an account's own server: once, filed once, told when it can't be known, never insistent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import AccountError, Rejected, SkillFailed, Uncertain
from assistant.remote import secret_name
from tests.integration.test_mail_worker import Rig, running
from tests.support.context import context, operation
from tests.support.cutting import Line
from tests.support.imap_store import Second
from tests.support.mail import EMAIL, SKILLS, module
from tests.support.servers.mail import MailServers


def through(rig: Rig, servers: MailServers, port: int) -> None:
    """The account's submission server is reached by a proxy."""
    rig.ctx.accounts._accounts["work"] = servers.account(rig.user, smtp=port)


async def prepared(rig: Rig, to: str, subject: str = "Hello") -> Any:
    return operation(await EMAIL.send(rig.ctx, [to], subject, "Some words."), "send")


async def sent(rig: Rig, act: Any) -> str:
    """As the outbox does: sent, and where that can't be known looked for, and sent again where it did not leave."""
    for _ in range(6):
        try:
            return str(await EMAIL.deliver(rig.ctx, act))
        except Uncertain:
            await asyncio.sleep(1.5)
            found = await EMAIL.look(rig.ctx, act)
            if found:
                return str(found)
        except SkillFailed:
            await asyncio.sleep(0.1)
    raise AssertionError("stuck")


async def test_a_mail_leaves_and_lies_in_sent_once(mail_servers: MailServers, tmp_path: Path) -> None:
    bob = mail_servers.user()
    rig = Rig(mail_servers, mail_servers.user(), tmp_path)
    async with running(rig):
        await rig.until(lambda: rig.state == "idle", "idle")
        act = await prepared(rig, bob.address)
        message_id = await EMAIL.deliver(rig.ctx, act)
        theirs = Second(mail_servers, bob)
        await rig.until(lambda: theirs.has(message_id), "the mail at bob's")
        await rig.until(lambda: rig.other.has(message_id, "Sent"), "the copy in Sent")
        await rig.until(lambda: not rig.other.has(message_id), "the inbox without it")
        assert (theirs.has(message_id), rig.other.has(message_id, "Sent")) == (1, 1)
        assert await EMAIL.look(rig.ctx, act) == message_id
        assert (await EMAIL.search(rig.ctx, unread=True)).data["items"] == []


async def test_a_mail_cut_at_any_byte_leaves_once(mail_servers: MailServers, tmp_path: Path) -> None:
    bob = mail_servers.user()
    theirs = Second(mail_servers, bob)
    rig = Rig(mail_servers, mail_servers.user(), tmp_path)
    async with running(rig):
        await rig.until(lambda: rig.state == "idle", "idle")
        first = await sent(rig, await prepared(rig, bob.address))
        await rig.until(lambda: rig.mailbox.copies_arrive("work"), "the first copy")
        told = [first]
        with Line(mail_servers.dovecot.submissions) as line:
            through(rig, mail_servers, line.port)
            for way, cuts in (("up", (0, 900, 1300, 1900, 2500, 3300)), ("down", (0, 2400, 3200, 3600, 3900, 4100))):
                for after in cuts:
                    line.cut_after(after, way)  # type: ignore[arg-type]
                    told.append(await sent(rig, await prepared(rig, bob.address, f"{way} {after}")))
                    line.heal()
        await asyncio.sleep(1.5)
        assert [theirs.has(one) for one in told] == [1] * len(told)


async def test_a_server_that_is_away_takes_it_later(mail_servers: MailServers, tmp_path: Path) -> None:
    bob = mail_servers.user()
    rig = Rig(mail_servers, mail_servers.user(), tmp_path)
    act = await prepared(rig, bob.address)
    with mail_servers.down(), pytest.raises(SkillFailed) as failed:
        await EMAIL.deliver(rig.ctx, act)
    assert failed.value.code == "accounts.login_unreachable"
    message_id = await EMAIL.deliver(rig.ctx, act)
    await rig.until(lambda: Second(mail_servers, bob).has(message_id), "the mail")


async def test_a_refused_password_is_tried_once(mail_servers: MailServers, tmp_path: Path) -> None:
    with Line(mail_servers.dovecot.submissions) as line:
        rig = Rig(mail_servers, mail_servers.user(), tmp_path, secret="wrong")
        through(rig, mail_servers, line.port)
        act = await prepared(rig, mail_servers.user().address)
        for _ in range(3):
            with pytest.raises(AccountError):
                await EMAIL.deliver(rig.ctx, act)
        assert line.connections == 1
        await rig.ctx.secrets.put(secret_name("work"), rig.user.password)
        assert await EMAIL.deliver(rig.ctx, act)


async def test_what_is_too_large_is_not_uploaded(mail_servers: MailServers, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(b"x" * 24_000_000)
    with Line(mail_servers.dovecot.submissions) as line:
        rig = Rig(mail_servers, mail_servers.user(), tmp_path)
        through(rig, mail_servers, line.port)
        act = operation(
            await EMAIL.send(rig.ctx, ["bob@example.com"], "Big", "See.", attachments=[str(tmp_path / "big.bin")]),
            "send",
        )
        with pytest.raises(Rejected) as refused:
            await EMAIL.deliver(rig.ctx, act)
        assert refused.value.code == "email.too_big_for_server"
        assert line.up < 20_000


async def test_an_account_that_was_removed_is_named(mail_servers: MailServers, tmp_path: Path) -> None:
    rig = Rig(mail_servers, mail_servers.user(), tmp_path)
    act = await prepared(rig, "bob@example.com")
    later = context(SKILLS, "email", tmp_path)
    with pytest.raises(SkillFailed) as failed:
        await EMAIL.deliver(later, act)
    assert failed.value.code == "email.account_gone"
    module("stores").shut(rig.ctx)

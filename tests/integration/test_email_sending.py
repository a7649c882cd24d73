"""Mail leaves once or not at all, through real SMTP servers that misbehave, and through a sendmail."""

from __future__ import annotations

import asyncio
import base64
import email
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from assistant.errors import AccountError, NotConfigured, Rejected, SkillFailed
from assistant.skillkit import Uncertain
from tests.support.context import operation
from tests.support.mail import EMAIL, deliver, mail, reading


class Inboxes:
    """Takes mail; puts what is for `owner` into a Maildir, as a delivery agent would."""

    def __init__(self, owner: Path | None = None) -> None:
        self.taken: list[Envelope] = []
        self.refused: dict[str, str] = {}
        self.answer = "250 OK"
        self.owner = owner

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, _: list[str]) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            self.taken.append(envelope)
            if self.owner and "mei@example.org" in envelope.rcpt_tos:
                assert isinstance(envelope.content, bytes)
                deliver(self.owner, b"Received: by test\r\n" + envelope.content)
        return self.answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(handler: Inboxes, **options: Any) -> Iterator[int]:
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@contextmanager
def dropping(at: str) -> Iterator[int]:
    """A server that hangs up at a point: `RCPT`, `DATA` (asked), `middle` (of the text) or `dot` (after it)."""
    listener = socket.create_server(("127.0.0.1", 0))

    def converse(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 test\r\n")
            for line in lines:
                verb = line[:4].upper()
                if verb == at[:4].encode():
                    return
                if verb == b"DATA":
                    connection.sendall(b"354 go\r\n")
                    if at == "middle":
                        lines.readline()
                        return
                    while lines.readline() not in (b".\r\n", b""):
                        pass
                    return
                connection.sendall(b"250 OK\r\n")

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            converse(connection)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def account(port: int, **more: Any) -> dict[str, Any]:
    return {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none", **more}


async def prepared(ctx: Any) -> Any:
    return operation(await EMAIL.send(ctx, ["Anna", "王伟"], "Lunch", "Friday?\n.\nFrom me\n你好"), "email.send")


def sent_in(folder: Path) -> list[Path]:
    return [file for part in ("cur", "new") for file in (folder / "mail" / ".Sent" / part).glob("*")]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Path]:
    deliver(tmp_path / "mail", mail(subject="Hello"))
    yield tmp_path
    await asyncio.sleep(0)


async def test_a_mail_leaves_and_its_copy_lands_in_sent_not_among_the_news(home: Path) -> None:
    server = Inboxes(home / "mail")
    with serving(server) as port:
        ctx = reading(home, settings=account(port))
        task = await prepared(ctx)
        reference = await EMAIL.deliver(ctx, task)
    (envelope,) = server.taken
    assert envelope.rcpt_tos == ["anna.schmidt@example.org", "wangwei@example.cn", "mei@example.org"]
    assert envelope.content == base64.b64decode(task.prepared.payload["raw"])
    assert reference == task.prepared.payload["message_id"]
    assert [item["subject"] for item in (await EMAIL.search(ctx)).data["items"]] == ["Hello"]
    found = await EMAIL.search(ctx, folder="Sent")
    assert [(item["subject"], item["unread"]) for item in found.data["items"]] == [("Lunch", False)]
    assert await EMAIL.look(ctx, task) == reference


async def test_without_a_proof_copy_the_mail_is_filed_in_sent_once(home: Path) -> None:
    server = Inboxes()
    with serving(server) as port:
        ctx = reading(home, settings=account(port, proof_copy=False))
        task = await prepared(ctx)
        await EMAIL.deliver(ctx, task)
        await EMAIL.deliver(ctx, task)
    assert "mei@example.org" not in server.taken[0].rcpt_tos
    (file,) = sent_in(home)
    assert email.message_from_bytes(file.read_bytes())["Message-ID"] == task.prepared.payload["message_id"]
    assert await EMAIL.look(ctx, task) == task.prepared.payload["message_id"]


async def test_a_mail_to_oneself_stays_in_the_inbox(home: Path) -> None:
    server = Inboxes(home / "mail")
    with serving(server) as port:
        ctx = reading(home, settings=account(port))
        task = operation(await EMAIL.send(ctx, ["me"], "Note", "buy milk"), "email.send")
        await EMAIL.deliver(ctx, task)
    assert "Note" in [item["subject"] for item in (await EMAIL.search(ctx)).data["items"]]
    assert len(sent_in(home)) == 1


@pytest.mark.parametrize(("answer", "kind"), [("550 no such user", Rejected), ("451 greylisted", SkillFailed)])
async def test_one_refused_recipient_and_nobody_gets_it(home: Path, answer: str, kind: type[Exception]) -> None:
    server = Inboxes(home / "mail")
    server.refused["wangwei@example.cn"] = answer
    with serving(server) as port:
        ctx = reading(home, settings=account(port))
        task = await prepared(ctx)
        with pytest.raises(SkillFailed) as caught:
            await EMAIL.deliver(ctx, task)
    assert type(caught.value) is kind
    assert "wangwei@example.cn" in caught.value.data["answer"]
    assert server.taken == []
    with pytest.raises(Uncertain):  # no copy has ever come: its absence proves nothing yet
        await EMAIL.look(ctx, task)


@pytest.mark.parametrize(("answer", "kind"), [("554 spam", Rejected), ("452 disk full", SkillFailed)])
async def test_an_answer_to_the_text_decides(home: Path, answer: str, kind: type[Exception]) -> None:
    server = Inboxes(home / "mail")
    server.answer = answer
    with serving(server) as port:
        ctx = reading(home, settings=account(port))
        with pytest.raises(SkillFailed) as caught:
            await EMAIL.deliver(ctx, await prepared(ctx))
    assert type(caught.value) is kind


async def test_a_connection_lost_before_data_is_certainly_not_sent(home: Path) -> None:
    with dropping("RCPT") as port:
        ctx = reading(home, settings=account(port))
        with pytest.raises(SkillFailed) as caught:
            await EMAIL.deliver(ctx, await prepared(ctx))
    assert caught.value.code == "email.smtp_unreachable"


@pytest.mark.parametrize("at", ["DATA", "middle", "dot"])
async def test_a_connection_lost_from_data_on_is_uncertain_until_the_copy_is_looked_for(home: Path, at: str) -> None:
    with dropping(at) as port:
        ctx = reading(home, settings=account(port))
        task = await prepared(ctx)
        with pytest.raises(Uncertain):
            await EMAIL.deliver(ctx, task)
    EMAIL.delivery.opened(ctx).note_copy()
    assert await EMAIL.look(ctx, task) is None
    deliver(home / "mail", base64.b64decode(task.prepared.payload["raw"]))
    assert await EMAIL.look(ctx, task) == task.prepared.payload["message_id"]
    assert len(sent_in(home)) == 1


async def test_without_a_copy_or_a_mailbox_a_lost_mail_stays_uncertain(home: Path) -> None:
    ctx = reading(home, settings=account(1, proof_copy=False))
    task = await prepared(ctx)
    with pytest.raises(Uncertain):
        await EMAIL.look(ctx, task)
    ctx = reading(home, settings=account(1))
    task = await prepared(ctx)
    (home / "mail").rename(home / "away")
    with pytest.raises(Uncertain):
        await EMAIL.look(ctx, task)


async def test_nobody_listening_is_certainly_not_sent(home: Path) -> None:
    ctx = reading(home, settings=account(free_port()))
    with pytest.raises(SkillFailed) as caught:
        await EMAIL.deliver(ctx, await prepared(ctx))
    assert caught.value.code == "email.smtp_unreachable"


def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and data.password == b"right"
    return AuthResult(success=good, handled=False)


async def test_the_password_comes_from_the_secrets(home: Path) -> None:
    server = Inboxes()
    options: dict[str, Any] = {"authenticator": authenticate, "auth_require_tls": False}
    with serving(server, **options) as port:
        settings = account(port, smtp_user="mei")
        right = reading(home, settings=settings, secrets={"email.smtp": "right"})
        await EMAIL.deliver(right, await prepared(right))
        wrong = reading(home, settings=settings, secrets={"email.smtp": "wrong"})
        with pytest.raises(AccountError) as caught:
            await EMAIL.deliver(wrong, await prepared(wrong))
        assert "wrong" not in str(caught.value)
        none = reading(home, settings=settings)
        with pytest.raises(NotConfigured):
            await EMAIL.deliver(none, await prepared(none))
    assert len(server.taken) == 1


async def test_mail_never_goes_out_in_the_clear(home: Path) -> None:
    ctx = reading(home, settings={"smtp_host": "mail.example.org", "smtp_security": "none"})
    with pytest.raises(NotConfigured) as caught:
        await EMAIL.deliver(ctx, await prepared(ctx))
    assert caught.value.code == "email.smtp_in_the_clear"
    server = Inboxes()
    with serving(server) as port:
        ctx = reading(home, settings=account(port, smtp_security="starttls"))
        with pytest.raises(SkillFailed):
            await EMAIL.deliver(ctx, await prepared(ctx))
    assert server.taken == []


def sendmail(folder: Path, status: str) -> Path:
    script = folder / "sendmail"
    script.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{folder}/arguments"\ncat > "{folder}/text"\necho no >&2\n{status}\n'
    )
    script.chmod(0o700)
    return script


async def test_a_local_sendmail_gets_the_envelope_and_the_text(home: Path) -> None:
    ctx = reading(home, settings={"sendmail": str(sendmail(home, "exit 0"))})
    task = await prepared(ctx)
    assert await EMAIL.deliver(ctx, task) == task.prepared.payload["message_id"]
    assert (home / "arguments").read_text().split() == [
        "-i",
        "-f",
        "mei@example.org",
        "--",
        "anna.schmidt@example.org",
        "wangwei@example.cn",
        "mei@example.org",
    ]
    assert (home / "text").read_bytes() == base64.b64decode(task.prepared.payload["raw"]).replace(b"\r\n", b"\n")


@pytest.mark.parametrize(("status", "kind"), [("exit 67", Rejected), ("exit 75", Uncertain), ("kill -9 $$", Uncertain)])
async def test_the_exit_of_sendmail_tells_what_happened(home: Path, status: str, kind: type[Exception]) -> None:
    ctx = reading(home, settings={"sendmail": str(sendmail(home, status))})
    with pytest.raises(kind):
        await EMAIL.deliver(ctx, await prepared(ctx))


async def test_a_postfix_that_was_never_set_up_has_sent_nothing(home: Path) -> None:
    said = "echo sendmail: fatal: open /etc/postfix/main.cf: No such file or directory >&2; exit 75"
    ctx = reading(home, settings={"sendmail": str(sendmail(home, said))})
    with pytest.raises(SkillFailed) as caught:
        await EMAIL.deliver(ctx, await prepared(ctx))
    assert caught.value.code == "email.sendmail_failed"


async def test_with_no_way_out_the_settings_are_named(home: Path) -> None:
    ctx = reading(home, settings={"sendmail": str(home / "none")})
    with pytest.raises(NotConfigured) as caught:
        await EMAIL.deliver(ctx, await prepared(ctx))
    assert caught.value.code == "email.no_way_out"


async def test_a_large_mailbox_is_indexed_while_the_loop_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "mail"
    deliver(root)
    for number in range(5000):
        raw = f"From: a@example.org\nSubject: mail {number}\nMessage-ID: <{number}@x>\n\nword{number} 会议\n".encode()
        (root / "cur" / f"{1700000000 + number}.M{number}.x:2,S").write_bytes(raw)
    ctx = reading(tmp_path)
    indexing = asyncio.create_task(EMAIL.index_mailbox(ctx))
    turns = 0
    early = await EMAIL.search(ctx, subject="mail 4999")
    assert [item["subject"] for item in early.data["items"]] == ["mail 4999"]
    while not indexing.done():
        turns += 1
        await asyncio.sleep(0.005)
    await indexing
    assert turns > 100
    assert len(await ctx.index.stamps()) == 5000
    for number in (0, 2500, 4999):
        found = await EMAIL.search(ctx, query=f"word{number}")
        assert [item["subject"] for item in found.data["items"]] == [f"mail {number}"]

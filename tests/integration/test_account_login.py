"""Logins at a real Dovecot and Radicale: what opens, and what is said where nothing does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from assistant.accounts import login
from assistant.accounts.check import check
from assistant.accounts.login import LoginProblem
from assistant.accounts.oauth import Endpoint, Tokens
from assistant.locale import Catalogue
from assistant.remote import Account, Credential, Place
from tests.support.servers.certificates import Kind
from tests.support.servers.dav import Radicale
from tests.support.servers.fixtures import running
from tests.support.servers.mail import MailServers, User
from tests.support.servers.oidc import Oidc

WRONG: dict[Kind, str] = {
    "expired": "certificate_expired",
    "early": "certificate_not_yet",
    "other": "certificate_other_name",
    "unknown": "certificate_unknown",
}


@pytest.fixture(scope="module")
def user(mail_servers: MailServers) -> User:
    return mail_servers.user()


def good(user: User) -> Credential:
    return Credential(user=user.address, secret=user.password)  # type: ignore[arg-type]


def problem(work: Callable[[], object]) -> LoginProblem:
    with pytest.raises(LoginProblem) as caught:
        work()
    return caught.value


def mail_in(account: Account, credential: Credential) -> object:
    client = login.imap(account, credential, timeout=10)
    try:
        return client.select_folder("INBOX")[b"EXISTS"]
    finally:
        client.logout()


def send_in(account: Account, credential: Credential) -> bool:
    async def work() -> bool:
        client = await login.smtp(account, credential, timeout=10)
        known = client.supports_extension("size")
        await client.quit()
        return known

    return asyncio.run(work())


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_password_opens_mailbox_and_submission(mail_servers: MailServers, user: User, security: str) -> None:
    account = mail_servers.account(user, security=security)
    assert mail_in(account, good(user)) == 0
    assert send_in(account, good(user))


@pytest.mark.parametrize("password", ["wrong", 'a "quoted\\ one', "密码 с пробелом", " "])
def test_odd_passwords_arrive_as_they_are(mail_servers: MailServers, password: str) -> None:
    account = mail_servers.account(mail_servers.user())
    told = problem(lambda: mail_in(account, Credential(user=account.address, secret=password)))  # type: ignore[arg-type]
    assert (told.reason, "AUTHENTICATIONFAILED" in told.words, told.passing) == ("refused", True, False)


def test_a_wrong_password_is_said_with_the_servers_words_and_tried_once(mail_servers: MailServers) -> None:
    user = mail_servers.user()
    account = mail_servers.account(user)
    wrong = Credential(user=user.address, secret="not-the-password-1")  # type: ignore[arg-type]
    assert problem(lambda: mail_in(account, wrong)).reason == "refused"
    assert problem(lambda: send_in(account, wrong)).reason == "refused"
    said, mend = Catalogue().explain(problem(lambda: send_in(account, wrong)), "en")
    assert f"refuses the login of {user.address}" in said
    assert mend
    time.sleep(0.3)  # the last line of the log
    tried = [line for line in mail_servers.dovecot.log.read_text().splitlines() if f"user=<{user.address}>" in line]
    assert ["auth failed, 1 attempts" in line for line in tried] == [True, True, True], tried
    assert "not-the-password-1" not in str(said)


@pytest.mark.parametrize("kind", sorted(WRONG))
@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_wrong_certificate_is_refused_before_a_password_leaves(
    mail_servers: MailServers, user: User, kind: Kind, security: str
) -> None:
    account = mail_servers.account(user, security=security)
    with mail_servers.presenting(kind):
        before = mail_servers.dovecot.log.read_text().count(f"user=<{user.address}>")
        assert problem(lambda: mail_in(account, good(user))).reason == WRONG[kind]
        assert problem(lambda: send_in(account, good(user))).reason == WRONG[kind]
        assert mail_servers.dovecot.log.read_text().count(f"user=<{user.address}>") == before
    assert mail_in(account, good(user)) == 0


def test_an_authority_that_is_not_trusted_is_told_apart(mail_servers: MailServers, user: User) -> None:
    stranger = mail_servers.account(user).model_copy(update={"ca_file": None})
    told = problem(lambda: mail_in(stranger, good(user)))
    assert told.reason == "certificate_unknown"
    assert "--ca-file" in Catalogue().explain(told, "zh")[1]


def test_the_wrong_door_and_no_door_at_all(mail_servers: MailServers, user: User) -> None:
    account = mail_servers.account(user)
    assert account.imap is not None

    def at(port: int, security: str = "tls", host: str = "localhost") -> LoginProblem:
        place = Place(host=host, port=port, security=security)  # type: ignore[arg-type]
        one = account.model_copy(update={"imap": place, "smtp": place})
        first = problem(lambda: mail_in(one, good(user)))
        assert problem(lambda: send_in(one, good(user))).reason == first.reason
        return first

    assert at(mail_servers.dovecot.imap).reason == "no_tls"
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    assert at(free).reason == "unreachable"
    assert at(free).passing


def test_a_name_that_nobody_knows(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    known = socket.getaddrinfo

    def asked(host: str, *others: object, **named: object) -> object:
        if host == "no-such-host.invalid":  # a real name server would be asked beyond this machine
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *others, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    place = Place(host="no-such-host.invalid", port=993)
    account = Account(address=user.address, imap=place, smtp=place)
    assert problem(lambda: mail_in(account, good(user))).reason == "no_such_host"
    assert problem(lambda: send_in(account, good(user))).reason == "no_such_host"


def test_starttls_that_is_not_there_sends_no_password(user: User) -> None:
    with speaking([b"* OK [CAPABILITY IMAP4rev1] hi\r\n"], capability=b"IMAP4rev1") as (port, heard):
        place = Place(host="localhost", port=port, security="starttls")
        account = Account(address=user.address, imap=place)
        assert problem(lambda: mail_in(account, good(user))).reason == "no_tls"
    assert user.password.encode() not in b"".join(heard)
    with speaking([b"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] in\r\n"], capability=b"IMAP4rev1 STARTTLS") as (port, _):
        account = Account(address=user.address, imap=Place(host="localhost", port=port, security="starttls"))
        assert problem(lambda: mail_in(account, good(user))).reason == "no_tls"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"NO SELECT Unsafe Login. Please contact kefu@188.com for help", "unsafe"),
        (b"NO [ALERT] Too many simultaneous connections. (Failure)", "too_many"),
        (b"NO [UNAVAILABLE] Temporary authentication failure", "throttled"),
        (b"NO [ALERT] Your account is not enabled for IMAP use. Please visit your account settings", "imap_off"),
        (b"NO Login fail. Please enter your authorization code to login.", "needs_code"),
        (
            b"NO [ALERT] Application-specific password required: https://support.google.com (Failure)",
            "needs_app_password",
        ),
        (b"NO [AUTHENTICATIONFAILED] Invalid credentials", "refused"),
        (b"BAD what", "refused"),
    ],
)
def test_what_servers_say_is_understood(user: User, answer: bytes, reason: str) -> None:
    with speaking([b"* OK hi\r\n"], capability=b"IMAP4rev1 AUTH=LOGIN", login=answer) as (port, heard):
        account = Account(address=user.address, imap=Place(host="127.0.0.1", port=port, security="none"))
        assert problem(lambda: mail_in(account, good(user))).reason == reason
    assert b"".join(heard).count(b"LOGIN ") == 1


def test_netease_is_told_who_we_are_before_any_folder(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from assistant.accounts import wellknown

    row = next(one for one in wellknown.providers() if one.name == "netease163")
    assert row.quirks.send_id
    monkeypatch.setattr(login, "quirks", lambda account: row.quirks)
    with speaking([b"* OK Coremail\r\n"], capability=b"IMAP4rev1 AUTH=LOGIN", login=b"OK in") as (port, heard):
        account = Account(address=user.address, imap=Place(host="127.0.0.1", port=port, security="none"))
        with contextlib.suppress(Exception):
            mail_in(account, good(user))
    words = [line.split(b" ", 1)[1] for line in b"".join(heard).splitlines() if b" " in line]
    commands = [word.split(b" ")[0] for word in words]
    assert commands.index(b"LOGIN") < commands.index(b"ID") < commands.index(b"SELECT")
    [said] = [word for word in words if word.startswith(b"ID ")]
    assert said.startswith(b'ID ("name" "hearth-assistant" "version" "')


def test_what_logs_hold_has_no_password(
    mail_servers: MailServers, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mail_in(mail_servers.account(user), good(user))
    send_in(mail_servers.account(user), good(user))
    assert user.password not in caplog.text


@pytest.mark.parametrize(("kind", "told"), [("right", True), ("expired", False)])
def test_only_a_refused_password_is_called_refused(mail_servers: MailServers, kind: Kind, told: bool) -> None:
    """The mail worker says to the daemon which credential was turned down; the user is told of that alone."""
    from tests.support.mail import module

    user = mail_servers.user()
    worker = object.__new__(module("imap.worker").Worker)
    worker._account, worker._refused = mail_servers.account(user), None
    worker._credential = lambda: Credential(user=user.address, secret="wrong-one")  # type: ignore[arg-type]
    with mail_servers.presenting(kind), pytest.raises(LoginProblem):
        worker._connected()
    assert (worker._refused is not None) is told


# --- bearer tokens ---------------------------------------------------------------------------------------------


def tokens_of(oidc: Oidc, person: str) -> Tokens:
    async def work() -> Tokens:
        endpoint = Endpoint(oidc.client())
        code = await endpoint.device_code()
        waiting = asyncio.create_task(endpoint.wait_for(code.model_copy(update={"interval": 1.0})))
        await asyncio.to_thread(oidc.approve, code.verification_uri, person, user_code=code.user_code)
        return await waiting

    return asyncio.run(work())


@pytest.mark.parametrize("way", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_opens_both_and_a_revoked_one_is_refused(
    mail_servers: MailServers, oidc: Oidc, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = mail_servers.user()
    account = mail_servers.account(person)
    tokens = tokens_of(oidc, person.address)
    bearer = Credential(user=person.address, kind="bearer", secret=tokens.access_token)
    only(way, monkeypatch)
    assert mail_in(account, bearer) == 0
    assert send_in(account, bearer)
    oidc.revoke(tokens.access_token.get_secret_value())
    for work in (mail_in, send_in):
        told = problem(lambda work=work: work(account, bearer))  # type: ignore[misc]
        assert told.reason == "refused"
        assert tokens.access_token.get_secret_value() not in told.words


def only(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that offers one of the two mechanisms."""
    from aiosmtplib import SMTP
    from imapclient import IMAPClient

    real = IMAPClient.capabilities
    other = "OAUTHBEARER" if way == "XOAUTH2" else "XOAUTH2"

    def fewer(client: IMAPClient) -> tuple[bytes, ...]:
        return tuple(one for one in real(client) if one != f"AUTH={other}".encode())

    monkeypatch.setattr(IMAPClient, "capabilities", fewer)
    if way == "OAUTHBEARER":
        real_ehlo = SMTP.ehlo

        async def ehlo(self: SMTP, *rest: object, **more: object) -> object:
            answer = await real_ehlo(self, *rest, **more)  # type: ignore[arg-type]
            self.server_auth_methods = [one for one in self.server_auth_methods if one != "xoauth2"]
            return answer

        monkeypatch.setattr(SMTP, "ehlo", ehlo)


# --- calendars and contacts ------------------------------------------------------------------------------------


async def kept(user: str, secret: str) -> Credential:
    return Credential(user=user, secret=secret)  # type: ignore[arg-type]


def test_calendars_are_logged_in_to_over_tls_alone_with_the_right_certificate() -> None:
    with ExitStack() as stack:
        server = running(stack, Radicale, tls=True)
        person = server.user()
        account = server.account(person)

        def reasons(secret: str) -> list[str]:
            found = asyncio.run(check(account, lambda _: kept(person.name, secret)))
            return [getattr(one.problem, "reason", "fine") for one in found]

        assert reasons(person.password) == ["fine", "fine"]
        assert reasons("wrong") == ["refused", "refused"]
        for kind in ("expired", "early"):
            server.present(kind)  # type: ignore[arg-type]
            assert reasons(person.password)[0] == WRONG[kind]  # type: ignore[index]


def test_the_credential_goes_to_the_accounts_own_hosts_alone(radicale: Radicale) -> None:
    person = radicale.user()
    account = radicale.account(person)
    heard: list[httpx.Headers] = []
    transport = httpx.MockTransport(lambda request: heard.append(request.headers) or httpx.Response(200))  # type: ignore[func-returns-value]

    async def work() -> None:
        at_icloud = Account(address="a@icloud.com", caldav="https://caldav.icloud.com/")
        elsewhere = ("http://evil.example/", "https://127.0.0.1.evil.example/", "https://localhost.example/")
        for one, urls in (
            (account, (account.caldav, *elsewhere)),
            (
                at_icloud,
                ("https://p07-caldav.icloud.com/1/", "http://p07-caldav.icloud.com/1/", "https://xicloud.com/"),
            ),
        ):
            async with login.web(one, await kept(person.name, person.password)) as web:
                web._transport = transport
                web._mounts = {}
                for url in urls:
                    await web.request("PROPFIND", url)

    asyncio.run(work())
    assert ["authorization" in one for one in heard] == [True, False, False, False, True, False, False]


def test_an_answer_without_end_is_not_read_to_its_end(radicale: Radicale, monkeypatch: pytest.MonkeyPatch) -> None:
    import zlib

    from assistant.accounts import dav
    from assistant.errors import AccountError

    monkeypatch.setattr(dav, "LARGEST_BODY", 100_000)
    account = radicale.account(radicale.user())
    bomb = zlib.compress(bytes(10_000_000), 9)
    answers = {
        "plain": httpx.Response(200, stream=httpx.ByteStream(bytes(100_001))),
        "packed": httpx.Response(200, headers={"Content-Encoding": "deflate"}, stream=httpx.ByteStream(bomb)),
        "odd": httpx.Response(200, headers={"Content-Encoding": "br"}, stream=httpx.ByteStream(b"x")),
        "fits": httpx.Response(200, stream=httpx.ByteStream(bytes(100_000))),
        "packed-fits": httpx.Response(
            200, headers={"Content-Encoding": "deflate"}, stream=httpx.ByteStream(zlib.compress(bytes(100_000)))
        ),
    }

    async def work() -> None:
        async with login.web(account, await kept("a", "secret-of-a")) as web:
            web._mounts = {}
            for name, answer in answers.items():
                web._transport = httpx.MockTransport(lambda _, answer=answer: answer)  # type: ignore[misc]
                if name.endswith("fits"):
                    assert len((await web.get(account.caldav)).content) == 100_000
                else:
                    with pytest.raises(AccountError, match="odd_answer"):
                        await web.get(account.caldav)

    asyncio.run(work())


# --- a server that says what no real one here does ------------------------------------------------------------------


@contextmanager
def speaking(greeting: list[bytes], *, capability: bytes, login: bytes = b"NO no") -> Iterator[tuple[int, list[bytes]]]:
    """An IMAP server that gives fixed answers: words of services that can't be had here."""
    heard: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = server.accept()
            with connection, connection.makefile("rwb") as lines:
                for line in greeting:
                    lines.write(line)
                lines.flush()
                while line := lines.readline():
                    heard.append(line)
                    tag, _, rest = line.strip().partition(b" ")
                    command = rest.split(b" ")[0].upper()
                    if command == b"CAPABILITY":
                        lines.write(b"* CAPABILITY " + capability + b"\r\n" + tag + b" OK done\r\n")
                    elif command == b"LOGIN":
                        lines.write(tag + b" " + login + b"\r\n")
                    else:
                        lines.write(tag + b" OK done\r\n")
                    lines.flush()
                    if command == b"LOGOUT":
                        break

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1], heard
    finally:
        server.close()
        thread.join(5)

"""`assistant account` at real servers: added by an address, tried, listed, logged in again, removed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset
import pytest
from typer.testing import CliRunner, Result

from assistant.accounts import guess, wellknown
from assistant.accounts.guess import Guess
from assistant.accounts.names import Dns, Service, Unanswered
from assistant.accounts.oauth import Tokens
from assistant.cli import account_look
from assistant.cli import daemon as daemon_commands
from assistant.cli.main import app
from assistant.cli.shell import Shell
from assistant.config import load
from assistant.paths import Paths, find
from assistant.remote import Account
from assistant.safety.secrets import open_secrets
from tests.support.servers.dav import Radicale
from tests.support.servers.mail import MailServers, User
from tests.support.servers.oidc import CLIENT, Oidc
from tests.support.terminal import readable

Run = Callable[..., Result]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in ("LC_ALL", "LC_MESSAGES", "COLUMNS", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return find()


@pytest.fixture
def run(home: Paths) -> Run:
    def call(*arguments: str, input: str | None = None) -> Result:
        result = CliRunner().invoke(app, list(arguments), input=input)
        assert "Traceback" not in result.output
        return result

    return call


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits at the terminal."""
    monkeypatch.setattr(Shell, "interactive", property(lambda self: True))


def servers(mail: MailServers) -> list[str]:
    dovecot = mail.dovecot
    places = ["--imap", f"localhost:{dovecot.imaps}", "--smtp", f"localhost:{dovecot.submission}/starttls"]
    return [*places, "--ca-file", str(mail.ca_file)]


def kept(home: Paths, name: str) -> str | None:
    return asyncio.run(open_secrets(home).get(f"account.{name}"))


def accounts(home: Paths) -> dict[str, Account]:
    return load(home.config_file, environment={}).config.accounts


def add(run: Run, mail: MailServers, user: User, *more: str) -> Result:
    return run("account", "add", user.address, *servers(mail), "--password-stdin", *more, input=f"{user.password}\n")


def test_an_account_is_added_tried_and_kept_without_a_file_being_edited(
    run: Run, home: Paths, mail_servers: MailServers, radicale: Radicale
) -> None:
    user = mail_servers.user()
    result = add(run, mail_servers, user)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("✓") == 2
    assert user.password not in result.output + home.config_file.read_text()
    [(name, account)] = accounts(home).items()
    assert (name, account.address) == ("pda", user.address)
    assert account.smtp is not None
    assert (account.smtp.security, account.ca_file) == ("starttls", mail_servers.ca_file)
    assert kept(home, "pda") == user.password
    assert run("account", "test").stdout.count("✓") == 2
    assert run("account", "test", user.address).exit_code == 0
    there = add(run, mail_servers, user)
    assert (there.exit_code, "an account already: pda" in there.stderr) == (2, True)
    second = mail_servers.user()
    assert add(run, mail_servers, second).exit_code == 0
    dav = radicale.user()
    more = (
        "--name",
        "日历",
        "--user",
        dav.name,
        "--caldav",
        radicale.url,
        "--carddav",
        radicale.url,
        "--password-stdin",
    )
    result = run("account", "add", "me@dav.example", *more, input=f"{dav.password}\n")
    assert result.exit_code == 0, result.output
    assert sorted(accounts(home)) == ["pda", "pda2", "日历"]
    [told] = [json.loads(line) for line in run("account", "list", "--json").stdout.splitlines()]
    assert [one["name"] for one in told["items"]] == ["pda", "pda2", "日历"]
    listed = run("account", "list").stdout
    assert "not fetched yet" in listed
    assert "calendars, contacts" in listed
    assert "收信、发信" in run("--language", "zh", "account", "list").stdout


def test_a_wrong_password_keeps_nothing_and_says_why(run: Run, home: Paths, mail_servers: MailServers) -> None:
    user = mail_servers.user()
    result = run("account", "add", user.address, *servers(mail_servers), "--password-stdin", input="wrong-one\n")
    assert result.exit_code == 1
    assert f"refuses the login of {user.address}" in result.stdout
    assert result.stdout.count("refuses the login") == 1, "one explanation, and one attempt for both servers"
    assert "nothing was kept" in result.stdout
    assert not home.config_file.exists()
    assert kept(home, "pda") is None
    told = run(
        "--language", "zh", "account", "add", user.address, *servers(mail_servers), "--password-stdin", input="x\n"
    )
    assert "拒绝了" in told.stdout
    assert "什么也没有保存" in told.stdout


def test_at_a_terminal_a_refused_password_is_asked_for_again(
    run: Run, home: Paths, mail_servers: MailServers, person: None
) -> None:
    user = mail_servers.user()
    words = f"wrong-one\n{user.password}\n"
    result = run("account", "add", user.address, *servers(mail_servers), "--no-sync", input=words)
    assert result.exit_code == 0, result.output
    assert kept(home, "pda") == user.password


def test_a_certificate_that_is_not_trusted_is_explained(run: Run, mail_servers: MailServers) -> None:
    user = mail_servers.user()
    places = servers(mail_servers)[:-2]
    result = run("account", "add", user.address, *places, "--password-stdin", input=f"{user.password}\n")
    assert (result.exit_code, "--ca-file" in result.stdout) == (1, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["me@x.org", "--imap", "imap.x.org:143/none"], "in the clear"),
        (["me@x.org", "--imap", "imap.x.org:abc"], "is no port"),
        (["me@x.org", "--caldav", "http://dav.x.org/"], "is no https:// address"),
        (["me@x.org", "--name", "../x"], "can't be an account's name"),
        (["me@x"], "is no mail address"),
        (["nonsense"], "neither an address nor a kind"),
        (["me@x.org", "--imap", "localhost:1"], "No password was given"),
    ],
)
def test_what_makes_no_sense_is_said(run: Run, words: list[str], told: str) -> None:
    result = run("account", "add", *words)
    assert (result.exit_code, told in result.stderr) == (2, True), result.output


def found(answer: Guess) -> Callable[..., object]:
    async def servers(address: str, **_: object) -> Guess:
        return answer

    return servers


def test_guessed_servers_are_shown_and_a_guess_that_fails_is_left_out(
    run: Run, home: Paths, mail_servers: MailServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = mail_servers.user()
    real = mail_servers.account(user)
    answer = Guess(how="srv", imap=real.imap, smtp=real.smtp, caldav="https://localhost:1/", elsewhere=("localhost",))
    monkeypatch.setattr(guess, "servers", found(answer))
    trusted = ("--ca-file", str(mail_servers.ca_file))
    words = ("account", "add", user.address, "--password-stdin", *trusted)
    refused = run(*words, input=f"{user.password}\n")
    assert refused.exit_code == 1
    assert "outside its domain: localhost. Nothing was sent" in refused.stderr
    result = run(*words, "--yes", input=f"{user.password}\n")
    assert result.exit_code == 0, result.output
    assert "names its servers" in result.stdout
    assert "calendars are left out, since they don't answer" in result.stderr
    assert accounts(home)["pda"].caldav == ""


@pytest.mark.parametrize("how", ["nothing", "offline"])
def test_servers_that_are_not_found_can_be_named(
    run: Run, home: Paths, mail_servers: MailServers, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    user = mail_servers.user()
    monkeypatch.setattr(guess, "servers", found(Guess(how=how)))  # type: ignore[arg-type]
    result = run("account", "add", user.address, "--password-stdin", input="x\n")
    assert result.exit_code == 1
    assert "--imap" in result.stderr
    monkeypatch.setattr(Shell, "interactive", property(lambda self: True))
    dovecot = mail_servers.dovecot
    typed = f"localhost:{dovecot.imaps}\nlocalhost:{dovecot.submissions}\n\n\n{user.password}\n"
    words = ("account", "add", user.address, "--no-sync", "--ca-file", str(mail_servers.ca_file))
    assert run(*words, input=typed).exit_code == 0
    assert accounts(home)["pda"].smtp is not None


def test_a_qq_user_is_told_of_the_code_before_and_after(
    run: Run, mail_servers: MailServers, monkeypatch: pytest.MonkeyPatch, person: None
) -> None:
    """QQ's servers can't be had here; what is known of them is put before ones that refuse."""
    user = mail_servers.user()
    real = mail_servers.account(user)
    assert real.imap is not None
    qq = next(one for one in wellknown.providers() if one.name == "qq")
    row = replace(qq, hosts=("localhost",))
    monkeypatch.setattr(wellknown, "by_host", lambda host, port=0: row)
    monkeypatch.setattr(guess, "servers", found(Guess(how="table", provider=row, imap=real.imap, logins=row.logins)))
    words = ("account", "add", "10001@qq.com", "--ca-file", str(mail_servers.ca_file))
    result = run(*words, input="my-qq-password\nanother\nthird\n")
    assert result.exit_code == 1
    assert "Authorisation code of 10001@qq.com" in result.output
    assert "not the login password" in result.output
    assert result.output.count("This looks like your QQ password; QQ Mail wants the 16-letter authorisation code") == 3
    chinese = run("--language", "zh", *words, input="my-qq-password\n\n")
    assert "这看起来是您的 QQ 密码；QQ 邮箱要用 16 位授权码登录。" in chinese.output
    assert "设置 → 账号" in chinese.output


# --- OAuth ---------------------------------------------------------------------------------------------------------


def approving(oidc: Oidc, person: str, home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who reads the code from the screen and types it into a browser."""
    real = Shell.note

    def note(self: Shell, text: str, **style: str) -> None:
        real(self, text, **style)
        if (shown := re.search(r"(http\S+/device) .*: (\w{4}-\w{4})", text)) is not None:
            threading.Thread(
                target=oidc.approve, args=(shown[1], person), kwargs={"user_code": shown[2]}, daemon=True
            ).start()

    monkeypatch.setattr(Shell, "note", note)


def test_oauth_by_device_code_then_login_again_then_removed_and_revoked(
    run: Run, home: Paths, mail_servers: MailServers, oidc: Oidc, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = mail_servers.user()
    approving(oidc, user.address, home, monkeypatch)
    login = ("--oauth", "--issuer", oidc.issuer, "--client-id", CLIENT)
    result = run("account", "add", user.address, *servers(mail_servers), *login)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("✓") == 2
    account = accounts(home)["pda"]
    assert account.oauth is not None
    assert (account.auth, account.oauth.client_id) == ("oauth", CLIENT)
    tokens = Tokens.load(kept(home, "pda") or "")
    assert tokens is not None
    access, renewal = tokens.access_token.get_secret_value(), tokens.refresh_token.get_secret_value()
    assert access not in result.output + home.config_file.read_text()
    oidc.revoke(renewal)
    failed = run("account", "test", "pda")
    assert failed.exit_code == 1
    assert "assistant account login pda" in failed.stdout
    assert run("account", "login", "pda").exit_code == 0
    assert run("account", "test", "pda").exit_code == 0
    again = Tokens.load(kept(home, "pda") or "")
    assert again is not None
    assert oidc.active(again.access_token.get_secret_value())
    asked = run("account", "remove", "pda")
    assert (asked.exit_code, "pda" in accounts(home)) == (1, True), "nobody said yes"
    assert run("account", "remove", "pda", "--yes").exit_code == 0
    assert not oidc.active(again.access_token.get_secret_value())
    assert (accounts(home), kept(home, "pda")) == ({}, None)


def test_oauth_needs_a_client_id_and_a_place(run: Run, mail_servers: MailServers, tmp_path: Path) -> None:
    words = ("account", "add", "me@pda.test", *servers(mail_servers), "--oauth")
    assert "--client-id" in run(*words).stderr
    assert "--issuer" in run(*words, "--client-id", "x").stderr
    file = tmp_path / "client.json"
    file.write_text('{"installed": {"client_secret": "x"}}')
    assert "holds no client id" in run(*words, "--client-file", str(file)).stderr


# --- the first sync ------------------------------------------------------------------------------------------------


def status(home: Paths, skill: str, name: str, **about: object) -> None:
    folder = home.data / "skill-data" / skill / "accounts" / name
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"done": 0, "total": 0, "problem": "", "at": datetime.now(UTC).isoformat(), **about})
    (folder / "status.json").write_text(text)


def test_the_first_sync_is_shown_until_it_is_done(
    run: Run, home: Paths, mail_servers: MailServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engines are the skills': here only the files are written that they write."""
    user = mail_servers.user()
    started: list[bool] = []

    def renew(shell: Shell) -> None:
        started.append(True)
        threading.Thread(target=engine, daemon=True).start()

    def engine() -> None:
        time.sleep(0.3)
        for done in range(0, 501, 100):
            status(home, "email", "pda", state="syncing", done=done, total=500)
            time.sleep(0.1)
        status(home, "email", "pda", state="idle", done=500, total=500)

    monkeypatch.setattr(daemon_commands, "renew", renew)
    result = add(run, mail_servers, user, "--sync")
    assert result.exit_code == 0, result.output
    assert started == [True]
    assert "Mail: all 500 are here." in result.stdout
    assert "up to date" in run("account", "list").stdout
    status(home, "email", "pda", state="needs_login", problem="accounts.refused")
    assert "assistant account login pda" in run("account", "list").stdout
    status(home, "email", "pda", state="offline")
    assert "无法连接" in run("--language", "zh", "account", "list").stdout
    (home.data / "skill-data" / "email" / "accounts" / "pda" / "status.json").write_text("{broken")
    assert "not fetched yet" in run("account", "list").stdout
    folder = home.data / "skill-data" / "email" / "accounts" / "pda"
    assert run("account", "remove", "pda", "--yes", "--keep-data").exit_code == 0
    assert folder.is_dir()
    assert add(run, mail_servers, user).exit_code == 0
    assert run("account", "remove", user.address, "--yes").exit_code == 0
    assert not folder.exists()


def test_a_sync_that_does_not_begin_is_said(
    run: Run, home: Paths, mail_servers: MailServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_commands, "renew", lambda shell: None)
    monkeypatch.setattr(account_look, "_BEGINS_WITHIN_S", 0.5)
    result = add(run, mail_servers, mail_servers.user(), "--sync")
    assert result.exit_code == 0
    assert "has not begun yet" in result.stderr


def test_at_a_real_terminal_the_password_is_not_seen(home: Paths, mail_servers: MailServers) -> None:
    user = mail_servers.user()
    words = ["account", "add", user.address, *servers(mail_servers), "--no-sync"]
    terminal, its = pty.openpty()
    command = [sys.executable, "-m", "assistant.cli.main", *words]
    child = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, cwd=ROOT, start_new_session=True)
    os.close(its)
    shown = b""
    typed = False
    with contextlib.suppress(OSError):  # the end of a terminal is an error
        while readable(terminal, 60) and (chunk := os.read(terminal, 4096)):
            shown += chunk
            if not typed and b"Password of" in shown:
                time.sleep(0.2)  # the echo is switched off
                os.write(terminal, f"{user.password}\n".encode())
                typed = True
    os.close(terminal)
    assert child.wait(30) == 0, shown.decode()
    assert user.password.encode() not in shown
    tried = subprocess.run(
        [*command[:3], "account", "test", "pda"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert tried.stdout.count("✓") == 2, tried.stdout


def test_the_whole_way_with_a_real_daemon(home: Paths, mail_servers: MailServers, tmp_path: Path) -> None:
    """Added, fetched, the password changed over there, told, logged in again without a restart, removed."""
    user = mail_servers.user()
    mails = (f"Message-ID: <{one}@x.test>\r\nSubject: {one}\r\n\r\nHello\r\n".encode() for one in range(200))
    mail_servers.fill(user, mails)
    environment = {**os.environ, "ASSISTANT_MODELS": str(tmp_path / "models")}

    def call(*words: str, input: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "assistant.cli.main", *words]
        return subprocess.run(
            command, cwd=ROOT, env=environment, input=input, capture_output=True, text=True, timeout=90
        )

    def state() -> str:
        [account] = json.loads(call("account", "list", "--json").stdout)["items"]
        return str(account["states"].get("email", {}).get("state"))

    def until(wanted: str) -> None:
        end = time.monotonic() + 60
        while state() != wanted:
            assert time.monotonic() < end, f"{state()}, not {wanted}"

    try:
        added = call(
            "account",
            "add",
            user.address,
            *servers(mail_servers),
            "--password-stdin",
            "--sync",
            input=f"{user.password}\n",
        )
        assert "Mail: all 200 are here." in added.stdout, added
        mail_servers.dovecot.record(user.address, "another-pw-1")
        mail_servers.restart()
        until("needs_login")
        end = time.monotonic() + 30
        while "refuses the login" not in (told := call("daemon", "status").stdout) and time.monotonic() < end:
            pass
        assert told.count("refuses the login of") == 1, told
        assert "assistant account login pda" in told
        assert call("account", "login", "pda", "--password-stdin", input="another-pw-1\n").returncode == 0
        until("idle")
        assert call("account", "remove", "pda", "--yes").returncode == 0
        assert not list(home.data.rglob("accounts/pda"))
    finally:
        call("daemon", "stop")


# --- the DNS -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def name_server() -> AsyncIterator[int]:
    """A name server of this machine with a few records; of `slow.test` it says nothing at all."""
    records = {
        ("company.test.", "MX"): ["20 mx2.company.test.", "10 mx1.company.test."],
        ("_imaps._tcp.company.test.", "SRV"): ["20 1 993 b.company.test.", "10 1 993 c.x.test.", "10 5 993 a.x.test."],
        ("_imap._tcp.company.test.", "SRV"): ["0 0 0 ."],
        ("_caldavs._tcp.company.test.", "TXT"): ['"path=/dav/" "x"', '"other"'],
    }

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, address: object) -> None:
            asked = dns.message.from_wire(data)
            [question] = asked.question
            if "slow" in question.name.to_text():
                return
            answer = dns.message.make_response(asked)
            answer.flags |= dns.flags.RA
            kind = dns.rdatatype.to_text(question.rdtype)
            if texts := records.get((question.name.to_text(), kind)):
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
            elif not any(name == question.name.to_text() for name, _ in records):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self.transport.sendto(answer.to_wire(), address)  # type: ignore[attr-defined]

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    yield transport.get_extra_info("sockname")[1]
    transport.close()


async def test_names_are_looked_up_at_a_real_name_server(name_server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Dns(["127.0.0.1"], name_server)
    assert await names.mx("company.test") == ["mx1.company.test", "mx2.company.test"]
    assert [one.host for one in await names.srv("_imaps._tcp.company.test")] == [
        "a.x.test",
        "c.x.test",
        "b.company.test",
    ]
    assert await names.srv("_imap._tcp.company.test") == [], "a dot says: decidedly not there"
    assert await names.srv("_submission._tcp.company.test") == []
    assert sorted(await names.txt("_caldavs._tcp.company.test")) == ["other", "path=/dav/x"]
    assert await names.mx("_caldavs._tcp.company.test") == []
    monkeypatch.setattr("assistant.accounts.names._WITHIN_S", 0.5)
    began = time.monotonic()
    with pytest.raises(Unanswered):
        await names.mx("slow.test")
    assert time.monotonic() - began < 3
    assert isinstance((await names.srv("_imaps._tcp.company.test"))[0], Service)


async def test_without_a_name_server_a_guess_says_offline_in_time() -> None:
    began = time.monotonic()
    found = await guess.servers("me@company.test", names=Dns(["127.0.0.1"], 9))
    assert found.how == "offline"
    assert time.monotonic() - began < 10

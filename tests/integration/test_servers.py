"""The real servers that the tests start: they come up, do what the tests need of them, and end with the test."""

from __future__ import annotations

import base64
import imaplib
import os
import signal
import smtplib
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil
import pytest

from tests.support.servers.certificates import KINDS, Kind
from tests.support.servers.dav import Radicale, Xandikos
from tests.support.servers.fixtures import running
from tests.support.servers.mail import MailServers, User
from tests.support.servers.oidc import CLIENT, Oidc
from tests.support.servers.postfix import REFUSED

ROOT = Path(__file__).parents[2]
PERSON = "oauth@pda.test"
CALENDAR = """\
BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:{kind}\r\nUID:{uid}\r\nDTSTAMP:20261123T100000Z\r
DTSTART:20261124T090000Z\r\nSUMMARY:Zahnarzt 牙医\r\nEND:{kind}\r\nEND:VCALENDAR\r\n"""
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u1\r\nFN:王小明\r\nN:王;小明;;;\r\nEMAIL:wang@example.com\r\nEND:VCARD\r\n"


def login(mail: MailServers, user: User) -> imaplib.IMAP4_SSL:
    client = imaplib.IMAP4_SSL("localhost", mail.dovecot.imaps, ssl_context=mail.certificates.client())
    client.login(user.address, user.password)
    return client


def letter(to: str, subject: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "sender@pda.test", to, subject
    made.set_content("Hello.\n")
    return made


def until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_mail_is_submitted_and_arrives(mail_servers: MailServers) -> None:
    one, other = mail_servers.user(), mail_servers.user()
    with smtplib.SMTP("localhost", mail_servers.dovecot.submission) as client:
        client.starttls(context=mail_servers.certificates.client())
        client.login(one.address, one.password)
        refused = client.send_message(letter(other.address, "Hello"), one.address, [other.address, REFUSED])
        assert list(refused) == [REFUSED]
        with pytest.raises(smtplib.SMTPRecipientsRefused, match=r"5\.1\.2"):
            client.send_message(letter("x@outside.example", "Out"), one.address, ["x@outside.example"])
    until(lambda: mail_servers.messages(other) == 1)


def test_a_user_may_have_a_server_that_can_less(mail_servers: MailServers) -> None:
    whole, less = mail_servers.user(), mail_servers.user(without=("QRESYNC", "MOVE"))
    for user, has in ((whole, True), (less, False)):
        client = login(mail_servers, user)
        said = client.capability()[1][0].decode().split()
        assert ("QRESYNC" in said, "MOVE" in said, "CONDSTORE" in said) == (has, has, True)
        client.logout()


def test_many_mails_are_put_in_as_files_in_order(mail_servers: MailServers) -> None:
    user = mail_servers.user()
    made = mail_servers.fill(user, (letter(user.address, str(one)).as_bytes() for one in range(300)))
    client = login(mail_servers, user)
    assert (made, client.select()[1]) == (300, [b"300"])
    for uid in (1, 137, 300):
        assert f"Subject: {uid - 1}\r\n".encode() in client.uid("FETCH", str(uid), "(BODY[HEADER])")[1][0][1]
    client.logout()
    assert mail_servers.fill(user, [b"Subject: a\r\n\r\na"], "账单/2026") == 1
    assert mail_servers.messages(user, "账单/2026") == 1


def test_uidvalidity_can_be_made_to_change(mail_servers: MailServers) -> None:
    user = mail_servers.user()
    mail_servers.deliver(user, letter(user.address, "kept"))
    before = mail_servers.uidvalidity(user)
    mail_servers.new_uidvalidity(user)
    assert mail_servers.uidvalidity(user) > before
    assert mail_servers.messages(user) == 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "right"])
def test_a_wrong_certificate_is_shown_on_demand(mail_servers: MailServers, kind: Kind) -> None:
    user = mail_servers.user()
    with mail_servers.presenting(kind), pytest.raises(ssl.SSLCertVerificationError):
        login(mail_servers, user)
    login(mail_servers, user).logout()


def test_a_restart_cuts_and_comes_back_at_the_same_port(mail_servers: MailServers) -> None:
    user = mail_servers.user()
    client = login(mail_servers, user)
    mail_servers.restart()
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        client.noop()
    login(mail_servers, user).logout()


def test_all_of_it_ends_when_the_test_is_killed(mail_servers: MailServers) -> None:
    script = """
import time
from tests.support.servers.dav import Radicale
from tests.support.servers.mail import MailServers
with MailServers() as mail, Radicale() as dav:
    keepers = [one._kept.pid for one in (mail.dovecot, mail.postfix, dav)]
    print(*keepers, mail.base, dav.base, flush=True)
    time.sleep(600)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None
    *keepers, mail, dav = child.stdout.readline().split()
    below = [one for pid in keepers for one in psutil.Process(int(pid)).children(recursive=True)]
    assert len(below) > 8
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    until(lambda: not any(one.is_running() for one in below))
    until(lambda: not Path(mail).exists() and not Path(dav).exists())


@pytest.fixture(params=["radicale", "xandikos"])
def dav(request: pytest.FixtureRequest) -> Radicale | Xandikos:
    server: Radicale | Xandikos = request.getfixturevalue(request.param)
    return server


def test_calendars_and_address_books_are_kept(dav: Radicale | Xandikos) -> None:
    user = dav.user()
    url = dav.calendar(user, "work", title="Arbeit & 工作")
    for kind in ("VEVENT", "VTODO"):
        text = CALENDAR.format(kind=kind, uid=kind)
        assert dav.put(user, f"{url}{kind}.ics", text, **{"If-None-Match": "*"}).status_code == 201
        assert dav.put(user, f"{url}{kind}.ics", text, **{"If-None-Match": "*"}).status_code == 412
    book = dav.address_book(user, "friends")
    assert dav.put(user, f"{book}u1.vcf", CARD).status_code == 201
    dav.restart()
    with dav.client(user) as client:
        assert "王小明" in client.get(f"{book}u1.vcf").text
        assert "牙医" in client.get(f"{url}VTODO.ics").text
        title = client.request("PROPFIND", url, headers={"Depth": "0"}, content=b"")
        assert "Arbeit &amp; 工作" in title.text


def test_radicale_speaks_tls_and_knows_its_users() -> None:
    from contextlib import ExitStack

    with ExitStack() as stack:
        server = running(stack, Radicale, tls=True)
        user = server.user()
        assert httpx.get(user.home, auth=(user.name, "wrong"), verify=server.certificates.client()).status_code == 401
        server.present("expired")
        with pytest.raises(httpx.ConnectError, match="expired"), server.client(user) as client:
            client.get(user.home)


def device(oidc: Oidc) -> tuple[dict[str, str], Callable[[], dict[str, str]]]:
    says = oidc.metadata()
    asked = {"client_id": CLIENT, "scope": "openid offline_access email mail"}
    code = httpx.post(says["device_authorization_endpoint"], data=asked).raise_for_status().json()
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": code["device_code"]}
    return code, lambda: httpx.post(says["token_endpoint"], data={"client_id": CLIENT, **grant}).json()


def test_a_device_is_let_in_and_its_token_opens_the_mailbox(oidc: Oidc, mail_servers: MailServers) -> None:
    mail_servers.user("oauth")
    code, poll = device(oidc)
    assert poll()["error"] == "authorization_pending"
    oidc.approve(code["verification_uri"], PERSON, user_code=code["user_code"])
    token = poll()["access_token"]
    assert oidc.active(token)
    login = f"user={PERSON}\x01auth=Bearer {token}\x01\x01".encode()
    with imaplib.IMAP4_SSL(
        "localhost", mail_servers.dovecot.imaps, ssl_context=mail_servers.certificates.client()
    ) as one:
        one.authenticate("XOAUTH2", lambda _: login)
        assert one.select()[0] == "OK"
    with smtplib.SMTP("localhost", mail_servers.dovecot.submission) as client:
        client.starttls(context=mail_servers.certificates.client())
        client.ehlo()
        assert client.docmd("AUTH", f"XOAUTH2 {base64.b64encode(login).decode()}")[0] == 235
    oidc.revoke(token)
    assert not oidc.active(token)
    assert {"route": "introspection", "status": 200} in oidc.seen()


def test_a_person_may_say_no(oidc: Oidc) -> None:
    code, poll = device(oidc)
    oidc.approve(code["verification_uri_complete"], PERSON, yes=False)
    assert poll()["error"] == "access_denied"


@pytest.mark.parametrize("yes", [True, False])
def test_a_browser_is_sent_back_to_the_loopback_address(oidc: Oidc, yes: bool) -> None:
    back = "http://127.0.0.1:51234/callback"
    query = {
        "client_id": CLIENT,
        "response_type": "code",
        "redirect_uri": back,
        "scope": "openid offline_access email mail",
        "prompt": "consent",
        "state": "s1",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }
    url = str(httpx.URL(oidc.metadata()["authorization_endpoint"], params=query))
    at = oidc.authorize(url, PERSON, yes=yes)
    said = {key: values[0] for key, values in parse_qs(urlsplit(at).query).items()}
    assert at.startswith(back)
    assert said["state"] == "s1"
    if not yes:
        assert said["error"] == "access_denied"
        return
    body = {"client_id": CLIENT, "grant_type": "authorization_code", "code": said["code"], "redirect_uri": back}
    verifier = {"code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}
    got = httpx.post(oidc.metadata()["token_endpoint"], data={**body, **verifier}).json()
    assert oidc.active(got["access_token"])
    refresh = {"client_id": CLIENT, "grant_type": "refresh_token", "refresh_token": got["refresh_token"]}
    new = httpx.post(oidc.metadata()["token_endpoint"], data=refresh).json()
    assert new["refresh_token"] != got["refresh_token"]

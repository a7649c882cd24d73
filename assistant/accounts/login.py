"""Connections to an account's servers, logged in. What is done over them is the skills'.

Knows no settings and no store: an account and a credential are handed in. No password leaves without TLS, except to
this machine; one refused login is one attempt, since services lock accounts that try again and again. What only a login
needs is loaded with the first: the daemon's start would pay for it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from assistant import __version__
from assistant.accounts.problem import LoginProblem, causes, network, refusal, said
from assistant.concealed import conceal
from assistant.errors import NotConfigured
from assistant.remote import Account, Credential, Place, is_this_machine

if TYPE_CHECKING:
    import httpx
    from aiosmtplib import SMTP
    from imapclient import IMAPClient

    from assistant.accounts.wellknown import Quirks

__all__ = ["LoginProblem", "imap", "quirks", "smtp", "tls", "web"]

PATIENCE_S = 60.0
_ATOM = re.compile(r"[A-Za-z0-9@._+-]+")
_ID = f'("name" "hearth-assistant" "version" "{__version__}")'
"""Without a space after the bracket: NetEase takes it in this form alone."""


def tls(account: Account) -> ssl.SSLContext:
    """Verified certificates of the system's authorities and the account's own; TLS 1.2 at least (RFC 8996). Blocks."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if account.ca_file is not None:
        try:
            context.load_verify_locations(cafile=account.ca_file.expanduser())
        except (OSError, ssl.SSLError) as error:
            problem = str(error)
            raise NotConfigured("accounts.no_ca_file", file=str(account.ca_file), problem=problem) from error
    return context


def quirks(account: Account) -> Quirks:
    """How to behave towards the account's mail server."""
    from assistant.accounts import wellknown

    return wellknown.quirks(account)


def web(account: Account, credential: Credential) -> httpx.AsyncClient:
    """A client for the account's calendars and address books: see `dav.web`."""
    from assistant.accounts import dav

    return dav.web(account, credential)


def imap(account: Account, credential: Credential, *, timeout: float = PATIENCE_S) -> IMAPClient:
    """An IMAP connection (RFC 9051, 3501) of `account.imap`, logged in, no folder opened. Blocks: call it in a thread.

    `timeout` is that of connecting and of each read and write. Raises LoginProblem, NotConfigured.
    """
    place = _place(account, account.imap)
    _sound(credential, place)
    client = _connect(account, place, timeout)
    try:
        _authenticate(client, credential, place)
        client._cached_capabilities = None  # what was said before the login does not count after it
        if quirks(account).send_id or client.has_capability("ID"):
            _introduce(client)
    except BaseException:
        with contextlib.suppress(Exception):
            client.shutdown()
        raise
    return client


def _connect(account: Account, place: Place, timeout: float) -> IMAPClient:
    from imapclient import IMAPClient
    from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

    context = tls(account) if place.security != "none" else None
    client = None
    try:
        client = IMAPClient(place.host, place.port, ssl=place.security == "tls", ssl_context=context, timeout=timeout)
        client._imap.debug = 0  # else every line of every mail is formatted for a log that nobody reads
        if place.security == "starttls":
            client.starttls(context)
    except BaseException as error:
        if client is not None:
            with contextlib.suppress(Exception):
                client.shutdown()
        if isinstance(error, IMAPClientAbortError | OSError):
            raise _ended(error, place) from error
        if isinstance(error, IMAPClientError):  # no STARTTLS there, or a login that came without being asked for
            if client is None:
                raise LoginProblem("other", host=place.host, port=place.port, words=str(error)) from error
            raise LoginProblem("no_tls", host=place.host, port=place.port, words=str(error)) from error
        raise
    return client


def _authenticate(client: IMAPClient, credential: Credential, place: Place) -> None:
    """One attempt, by the best of the ways offered (RFC 4616, XOAUTH2, RFC 7628)."""
    from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

    offered = {one.decode("ascii", "replace").upper() for one in client.capabilities()}
    secret = credential.secret.get_secret_value()
    told: list[str] = []
    try:
        if credential.kind == "bearer":
            way, answer = _bearer(credential, place, offered, told)
            client.sasl_login(way, answer)
        elif "AUTH=PLAIN" in offered:
            client.plain_login(credential.user, secret)
        elif "LOGINDISABLED" in offered:
            raise LoginProblem("no_tls", host=place.host, port=place.port, words="LOGINDISABLED")
        else:
            user = credential.user
            client.login(user if _ATOM.fullmatch(user) else _quoted(user), secret)
    except (IMAPClientAbortError, OSError) as error:
        raise _ended(error, place) from error
    except UnicodeError as error:  # LOGIN has no way to say a letter outside ASCII
        raise refusal("", place.host, place.port, credential) from error
    except IMAPClientError as error:
        # The library calls every failure of a login one of the login, a line that was cut included.
        if any(isinstance(one, IMAPClientAbortError | OSError) for one in causes(error)):
            raise _ended(error, place) from error
        raise refusal(" ".join((str(error), *told)), place.host, place.port, credential) from error


def _ended(error: BaseException, place: Place) -> LoginProblem:
    """A connection that broke. Some servers say why in their BYE."""
    reason = said(str(error))
    if reason is not None and not isinstance(error, OSError):
        return LoginProblem(reason, host=place.host, port=place.port, words=str(error))
    return network(error, place.host, place.port)


def _bearer(
    credential: Credential, place: Place, offered: set[str], told: list[str]
) -> tuple[str, Callable[[bytes], bytes]]:
    """The mechanism and its answers. A refusal comes as a challenge, which must be answered before the NO comes."""
    token = credential.secret.get_secret_value()
    if "AUTH=XOAUTH2" in offered or "AUTH=OAUTHBEARER" not in offered:
        first, last = _xoauth2(credential.user, token), b""
        way = "XOAUTH2"
    else:
        first, last = _oauthbearer(credential.user, token, place), b"\x01"
        way = "OAUTHBEARER"
    answers = iter((first,))

    def answer(challenge: bytes) -> bytes:
        if challenge:
            told.append(challenge.decode("utf-8", "replace"))
        return next(answers, last)

    return way, answer


def _introduce(client: IMAPClient) -> None:
    """ID (RFC 2971). A server that does not care for it is no worse for that."""
    from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

    try:
        client._imap._simple_command("ID", _ID)
    except IMAPClientAbortError as error:
        raise LoginProblem("unreachable", host=client.host, port=client.port, words=str(error)) from error
    except IMAPClientError:
        return
    client._imap.untagged_responses.pop("ID", None)


async def smtp(account: Account, credential: Credential, *, timeout: float = PATIENCE_S) -> SMTP:
    """A connection for handing in mail (RFC 6409, 8314) at `account.smtp`, logged in. `timeout` is that of each step.

    Raises LoginProblem, NotConfigured; nothing was sent then.
    """
    from aiosmtplib import SMTP
    from aiosmtplib.errors import SMTPException, SMTPResponseException

    place = _place(account, account.smtp)
    _sound(credential, place)
    context = await asyncio.to_thread(tls, account) if place.security != "none" else None
    client = SMTP(
        hostname=place.host,
        port=place.port,
        timeout=timeout,
        use_tls=place.security == "tls",
        start_tls=place.security == "starttls",
        tls_context=context,
        local_hostname="localhost",
    )
    try:
        await client.connect()
        await client.ehlo()
        await _hand_credential(client, credential, place)
    except SMTPResponseException as error:
        client.close()
        words = f"{error.code} {error.message}"
        if error.code < 0:  # no answer that can be read: cut off
            raise network(error, place.host, place.port) from error
        if error.code == 421 or 400 <= error.code < 500:
            raise LoginProblem("throttled", host=place.host, port=place.port, words=words) from error
        raise refusal(words, place.host, place.port, credential) from error
    except (SMTPException, OSError, ValueError) as error:
        client.close()
        if "STARTTLS extension not supported" in str(error):
            raise LoginProblem("no_tls", host=place.host, port=place.port, words=str(error)) from error
        raise network(error, place.host, place.port) from error
    except BaseException:
        client.close()
        raise
    return client


async def _hand_credential(client: SMTP, credential: Credential, place: Place) -> None:
    """One attempt, by the best of the ways offered (RFC 4954)."""
    from aiosmtplib.errors import SMTPAuthenticationError

    ways = {one.upper() for one in client.server_auth_methods}
    secret = credential.secret.get_secret_value()
    if credential.kind == "bearer":
        if "XOAUTH2" in ways or "OAUTHBEARER" not in ways:
            way, first, last = b"XOAUTH2", _xoauth2(credential.user, secret), b""
        else:
            way, first, last = b"OAUTHBEARER", _oauthbearer(credential.user, secret, place), b"AQ=="
        response = await client.execute_command(b"AUTH", way, base64.b64encode(first))
        if response.code == 334:
            told = response.message
            response = await client.execute_command(last)
            response = response._replace(message=f"{response.message} {told}")
        if response.code != 235:
            raise SMTPAuthenticationError(response.code, response.message)
    elif "PLAIN" in ways:
        await client.auth_plain(credential.user, secret)
    elif "LOGIN" in ways:
        await client.auth_login(credential.user, secret)
    elif "CRAM-MD5" in ways:
        await client.auth_crammd5(credential.user, secret)
    elif not is_this_machine(place.host):  # a relay of this machine may take mail from everybody on it
        raise LoginProblem("other", host=place.host, port=place.port, words="no AUTH")


def _place(account: Account, place: Place | None) -> Place:
    if place is None:
        raise NotConfigured("accounts.no_server", address=account.address)
    return place


def _sound(credential: Credential, place: Place) -> None:
    """No credential that would end a line or a field of a protocol early."""
    secret = credential.secret.get_secret_value()
    conceal(secret)
    if not secret or any(ord(one) < 32 or ord(one) == 127 for one in credential.user + secret):
        raise LoginProblem("refused", host=place.host, port=place.port, user=credential.user)


def _xoauth2(user: str, token: str) -> bytes:
    return f"user={user}\x01auth=Bearer {token}\x01\x01".encode()


def _oauthbearer(user: str, token: str, place: Place) -> bytes:
    name = user.replace("=", "=3D").replace(",", "=2C")
    return f"n,a={name},\x01host={place.host}\x01port={place.port}\x01auth=Bearer {token}\x01\x01".encode()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

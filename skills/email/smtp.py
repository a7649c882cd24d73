"""Hands a finished mail to a server or to sendmail, and tells "certainly not sent" from "can't be known".

Until the server has been asked to take the message (DATA), any failure means that nothing left. From then on a lost
connection leaves it open (RFC 5321 §4.2.5, RFC 1047): only the answer to the final dot decides.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
)

from assistant.skillkit import (
    AccountError,
    Context,
    Credential,
    LoginProblem,
    NotConfigured,
    Rejected,
    SkillFailed,
    is_this_machine,
    login,
)

from .compose import Letter
from .text import line

Security = Literal["starttls", "tls", "none"]
_PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
_PATIENCE_S = 60.0
_DATA_PATIENCE_S = 600.0  # RFC 5321 §4.5.3.2.6
_SENDMAIL_PATIENCE_S = 120.0
_UNCONFIGURED = re.compile(r"fatal: open \S*main\.cf")  # Postfix that was installed and never set up: takes nothing
_TEMPORARY = 75  # EX_TEMPFAIL of sysexits.h: a sendmail may have queued the mail all the same


class Lost(Exception):
    """The connection was lost after the message had begun to leave. The text says how, for logs."""


@dataclass(frozen=True)
class Server:
    """Where mail is handed in."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = ""


def server(host: str, port: int, security: str, user: str, password: str) -> Server:
    """A checked server. Raises NotConfigured for settings that would send mail or password in the clear."""
    if security not in _PORTS:
        raise NotConfigured("email.smtp_security", value=security)
    if security == "none" and not is_this_machine(host):
        raise NotConfigured("email.smtp_in_the_clear", host=host)
    kind: Security = "tls" if security == "tls" else "none" if security == "none" else "starttls"
    return Server(host, port or _PORTS[kind], kind, user, password)


async def hand_to_server(place: Server, letter: Letter) -> None:
    """Send through SMTP to all recipients or to none.

    Raises SkillFailed (not sent; may be tried again), Rejected and AccountError (not sent; trying again is vain), Lost.
    """
    client = SMTP(
        hostname=place.host,
        port=place.port,
        timeout=_PATIENCE_S,
        use_tls=place.security == "tls",
        start_tls=place.security == "starttls",
        local_hostname="localhost",
    )
    try:
        await _introduce(client, place, letter)
        await _hand_over(client, letter)
        with suppress(SMTPException, OSError):
            await client.quit(timeout=5)
    finally:
        client.close()


_REFUSED: dict[str, Credential] = {}
"""What servers turned down: it is not tried again, for services lock accounts that try and try."""


async def hand_to_account(ctx: Context, letter: Letter) -> None:
    """Send through the server of the letter's account. Raises as `hand_to_server`."""
    client = await _logged_in(ctx, letter.account)
    place = Server(client.hostname or "", client.port or 0, "tls", letter.sender)
    try:
        await _introduce(client, place, letter)
        await _hand_over(client, letter)
        with suppress(SMTPException, OSError):
            await client.quit(timeout=5)
    finally:
        client.close()


async def _logged_in(ctx: Context, name: str) -> SMTP:
    """A token that the server turns down is refreshed once."""
    account = ctx.accounts.all().get(name)
    if account is None:
        raise NotConfigured("email.account_gone", account=name)
    credential = await ctx.accounts.credential(name, refused=_REFUSED.get(name))
    for again in (True, False):
        try:
            client = await login.smtp(account, credential, timeout=_PATIENCE_S)
            _REFUSED.pop(name, None)
            return client
        except LoginProblem as error:
            if not error.refused:
                raise
            _REFUSED[name] = credential
            if not again or credential.kind != "bearer":
                raise
        credential = await ctx.accounts.credential(name, refused=credential)
    raise AccountError("accounts.refused", account=name, user=account.login)


async def _introduce(client: SMTP, place: Server, letter: Letter) -> None:
    """Everything before DATA: a failure here means that nothing was sent."""
    try:
        if not client.is_connected:
            await client.connect()
            if place.user:
                await client.login(place.user, place.password)
        most = client.esmtp_extensions.get("size", "")
        if most.isdecimal() and 0 < int(most) < len(letter.raw):  # RFC 1870: not a byte of it is uploaded
            raise Rejected("email.too_big_for_server", limit=int(most) // 1_000_000, host=place.host)
        size = [f"SIZE={len(letter.raw)}"] if client.supports_extension("size") else []
        await client.mail(letter.sender, options=size)
        for recipient in letter.recipients:
            await client.rcpt(recipient)
    except SMTPAuthenticationError as error:
        raise AccountError("email.smtp_login", host=place.host, user=place.user, answer=_answer(error)) from error
    except SMTPRecipientRefused as error:
        if letter.hidden and error.recipient == letter.sender and 500 <= error.code < 600:
            raise Rejected("email.smtp_proof_refused", address=error.recipient, answer=_answer(error)) from error
        raise _refusal(error, f"{error.recipient}: {_answer(error)}") from error
    except SMTPResponseException as error:
        raise _refusal(error, _answer(error)) from error
    except (SMTPException, OSError, ValueError) as error:
        problem = line(str(error), 200)
        raise SkillFailed("email.smtp_unreachable", host=place.host, port=place.port, problem=problem) from error


async def _hand_over(client: SMTP, letter: Letter) -> None:
    try:
        await client.data(letter.raw, timeout=_DATA_PATIENCE_S)
    except SMTPResponseException as error:
        if not 400 <= error.code < 600:
            raise Lost(f"odd answer {error.code}") from error
        raise _refusal(error, _answer(error)) from error
    except (SMTPException, OSError) as error:
        raise Lost(line(str(error), 200)) from error


async def hand_to_sendmail(program: Path, letter: Letter) -> None:
    """Give to a local sendmail; its exit status tells whether it took the mail. Raises as `hand_to_server`."""
    arguments = ["-i", "-f", letter.sender, "--", *letter.recipients]
    try:
        process = await asyncio.create_subprocess_exec(
            str(program),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise SkillFailed(
            "email.sendmail_failed", program=str(program), problem=error.strerror or str(error)
        ) from error
    try:
        async with asyncio.timeout(_SENDMAIL_PATIENCE_S):
            _, errors = await process.communicate(letter.raw.replace(b"\r\n", b"\n"))
    except TimeoutError as error:
        raise Lost("sendmail did not end") from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode == 0:
        return
    status = process.returncode or 0
    problem = line(errors.decode("utf-8", "replace"), 200) or f"exit {status}"
    if _UNCONFIGURED.search(problem):
        raise SkillFailed("email.sendmail_failed", program=str(program), problem=problem)
    if status < 0 or status == _TEMPORARY:
        raise Lost(problem)
    raise Rejected("email.sendmail_refused", program=str(program), problem=problem)


def _refusal(error: SMTPResponseException, answer: str) -> SkillFailed:
    """5xx is final, anything else may pass (RFC 5321 §4.2.1)."""
    if 500 <= error.code < 600:
        return Rejected("email.smtp_refused", answer=answer)
    return SkillFailed("email.smtp_later", answer=answer)


def _answer(error: SMTPResponseException) -> str:
    return f"{error.code} {line(error.message, 200)}"

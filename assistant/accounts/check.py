"""Tries an account's logins, each once, and changes nothing on any server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from assistant.accounts import login
from assistant.accounts.problem import LoginProblem, Reason, network, refusal
from assistant.errors import AssistantError
from assistant.remote import Account, Credential

if TYPE_CHECKING:
    import httpx

Kind = Literal["imap", "smtp", "caldav", "carddav"]
KINDS: tuple[Kind, ...] = ("imap", "smtp", "caldav", "carddav")
_PATIENCE_S = 20.0
_WITHIN_S = 60.0
_REDIRECTS = 5
_LARGEST_PAGE = 2**16
_PRINCIPAL = b'<?xml version="1.0"?><propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>'

CredentialOf = Callable[[Credential | None], Awaitable[Credential]]
"""Gives the credential; another one where the given one was refused (`ports.Accounts.credential`)."""


@dataclass(frozen=True)
class Checked:
    """What came of one login."""

    kind: Kind
    place: str
    problem: AssistantError | None = None


def doors(account: Account) -> Sequence[tuple[Kind, str]]:
    """The servers an account names, as a person reads them."""
    places = {
        "imap": f"{account.imap.host}:{account.imap.port}" if account.imap else "",
        "smtp": f"{account.smtp.host}:{account.smtp.port}" if account.smtp else "",
        "caldav": account.caldav,
        "carddav": account.carddav,
    }
    return [(kind, places[kind]) for kind in KINDS if places[kind]]


async def check(account: Account, credential: CredentialOf, kinds: Sequence[Kind] = KINDS) -> list[Checked]:
    """Log in wherever the account can. A secret that was refused once is not tried elsewhere: that may lock it."""
    done: list[Checked] = []
    refused: AssistantError | None = None
    for kind, place in doors(account):
        if kind not in kinds:
            continue
        problem = refused
        if problem is None:
            try:
                async with asyncio.timeout(_WITHIN_S):
                    await _try(kind, account, credential)
            except AssistantError as error:
                problem = error
            except TimeoutError as error:
                problem = network(error, place, 0)
        if isinstance(problem, LoginProblem) and problem.refused:
            refused = problem
        done.append(Checked(kind, place, problem))
    return done


async def _try(kind: Kind, account: Account, credential: CredentialOf) -> None:
    """One login. A token that the server turns down may have run out: then once more with another."""
    given = await credential(None)
    try:
        await _TRIES[kind](account, given)
    except LoginProblem as problem:
        if given.kind != "bearer" or problem.reason != "refused":
            raise
        other = await credential(given)
        if other.secret == given.secret:
            raise
        await _TRIES[kind](account, other)


async def _imap(account: Account, credential: Credential) -> None:
    await asyncio.to_thread(_look_in, account, credential)


def _look_in(account: Account, credential: Credential) -> None:
    """Log in and look at the inbox: some servers refuse a program there and not before."""
    from imapclient.exceptions import IMAPClientError

    assert account.imap is not None
    host, port = account.imap.host, account.imap.port
    client = login.imap(account, credential, timeout=_PATIENCE_S)
    try:
        client.select_folder("INBOX", readonly=True)
    except IMAPClientError as error:
        found = refusal(str(error), host, port, credential)
        raise (
            found
            if found.reason in ("unsafe", "imap_off", "throttled")
            else LoginProblem("other", host=host, port=port, words=str(error))
        ) from error
    except OSError as error:
        raise network(error, host, port) from error
    finally:
        with contextlib.suppress(IMAPClientError, OSError):
            client.logout()


async def _smtp(account: Account, credential: Credential) -> None:
    from aiosmtplib.errors import SMTPException

    client = await login.smtp(account, credential, timeout=_PATIENCE_S)
    with contextlib.suppress(SMTPException, OSError):
        await client.quit(timeout=5)
    client.close()


async def _caldav(account: Account, credential: Credential) -> None:
    await _dav(account, credential, "caldav", account.caldav)


async def _carddav(account: Account, credential: Credential) -> None:
    await _dav(account, credential, "carddav", account.carddav)


async def _dav(account: Account, credential: Credential, kind: str, url: str) -> None:
    """Ask who we are (RFC 5397), at the address given, or where the well-known one leads."""
    import httpx

    start = httpx.URL(url)
    candidates = [start]
    if start.path in ("", "/"):
        candidates.insert(0, start.copy_with(path=f"/.well-known/{kind}"))
    port = start.port or 443
    status, problem = 0, ""
    async with await asyncio.to_thread(login.web, account, credential) as web:
        try:
            for candidate in candidates:
                status, problem = await _principal(web, candidate)
                if status in (207, 401, 403):
                    break
        except (httpx.HTTPError, OSError) as error:
            raise network(error, start.host, port) from error
    if status == 207:
        return
    if status == 401:
        raise refusal(f"HTTP 401 {problem}", start.host, port, credential)
    reason: Reason = "throttled" if status in (429, 503) else "other"
    raise LoginProblem(reason, host=start.host, port=port, user=credential.user, words=f"HTTP {status} {problem}")


async def _principal(web: httpx.AsyncClient, url: httpx.URL) -> tuple[int, str]:
    """The status of the end of the redirects. A 207 that names nobody means that no login was asked for: a 401."""
    import httpx

    headers = {"Depth": "0", "Content-Type": "application/xml; charset=utf-8"}
    for _ in range(_REDIRECTS):
        async with web.stream("PROPFIND", url, headers=headers, content=_PRINCIPAL) as response:
            if response.is_redirect and "location" in response.headers:
                try:
                    url = response.url.join(response.headers["location"])
                except httpx.InvalidURL:
                    return response.status_code, "location"
                continue
            body = b""
            async for chunk in response.aiter_bytes(2**14):
                body += chunk
                if len(body) > _LARGEST_PAGE:
                    break
            if response.status_code == 207 and b"unauthenticated" in body:
                return 401, "unauthenticated"
            return response.status_code, response.reason_phrase
    return 310, "too many redirects"


_TRIES: dict[Kind, Callable[[Account, Credential], Awaitable[None]]] = {
    "imap": _imap,
    "smtp": _smtp,
    "caldav": _caldav,
    "carddav": _carddav,
}

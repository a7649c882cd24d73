"""An HTTP client for an account's calendars and address books: whom it shows the credential, and how much it reads."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from assistant.accounts import wellknown
from assistant.concealed import conceal
from assistant.errors import AccountError
from assistant.remote import Account, Credential, is_this_machine

if TYPE_CHECKING:
    import httpx

LARGEST_BODY = 64 * 2**20
"""Bytes of one answer, unpacked."""
_CONNECT_S = 15.0
_STEP_S = 60.0


def web(account: Account, credential: Credential) -> httpx.AsyncClient:
    """A client that logs in at the hosts of `account.caldav` and `.carddav` (RFC 7617, RFC 6750) and nowhere else.

    Redirects are not followed: the caller reads `Location` and asks again, and a host that is not the account's is
    asked without a credential. An answer beyond `LARGEST_BODY` raises AccountError. Blocks for some milliseconds
    (certificates); close it with `async with`.
    """
    import httpx

    from assistant.accounts.login import tls

    conceal(credential.secret.get_secret_value())
    return httpx.AsyncClient(
        auth=_auth(account, credential),
        verify=tls(account),
        timeout=httpx.Timeout(_STEP_S, connect=_CONNECT_S),
        limits=httpx.Limits(max_connections=4, max_keepalive_connections=2),
        headers={"User-Agent": "hearth-assistant", "Accept-Encoding": "gzip, identity"},
        follow_redirects=False,
        trust_env=False,
        event_hooks={"response": [_bounded]},
    )


def may_know(account: Account, scheme: str, host: str) -> bool:
    """Whether a host may be shown the account's credential: its own, one below its own, or one its service names."""
    import httpx

    if scheme != "https" and not is_this_machine(host):
        return False
    wanted = host.casefold()
    for own in (account.caldav, account.carddav):
        if own:
            known = httpx.URL(own).host.casefold()
            if wanted == known or (wanted.endswith(f".{known}") and known.count(".") > 1):
                return True
    row = wellknown.of(account)
    if row is None or not row.dav_hosts:
        row = wellknown.by_address(account.address)
    return row is not None and any(f".{wanted}".endswith(f".{ending}") for ending in row.dav_hosts)


def _auth(account: Account, credential: Credential) -> httpx.Auth:
    import httpx

    secret = credential.secret.get_secret_value()
    basic = httpx.BasicAuth(credential.user, secret)

    class OwnHosts(httpx.Auth):
        """Adds the credential to requests to the account's own hosts."""

        def auth_flow(self, request: httpx.Request):  # type: ignore[no-untyped-def]
            if not may_know(account, request.url.scheme, request.url.host):
                request.headers.pop("Authorization", None)
                yield request
            elif credential.kind == "bearer":
                request.headers["Authorization"] = f"Bearer {secret}"
                yield request
            else:
                yield from basic.auth_flow(request)

    return OwnHosts()


async def _bounded(response: httpx.Response) -> None:
    """Read no more than is bearable, and unpack here: a kilobyte may hide a gigabyte."""
    import httpx

    packing = response.headers.pop("content-encoding", "identity").strip().casefold()
    if packing not in ("identity", "", "gzip", "deflate"):
        raise AccountError("accounts.odd_answer", host=response.url.host, problem=f"content-encoding {packing[:40]}")
    host = response.url.host
    inner = response.stream
    assert isinstance(inner, httpx.AsyncByteStream)

    class Bounded(httpx.AsyncByteStream):
        """The answer's bytes, unpacked and counted."""

        def __init__(self, inner: httpx.AsyncByteStream) -> None:
            self._inner = inner

        async def __aiter__(self) -> AsyncIterator[bytes]:
            room = LARGEST_BODY
            unpacker = zlib.decompressobj(wbits=47) if packing in ("gzip", "deflate") else None
            async for chunk in self._inner:
                try:
                    plain = unpacker.decompress(chunk, room + 1) if unpacker else chunk
                except zlib.error as error:
                    raise AccountError("accounts.odd_answer", host=host, problem=str(error)) from error
                room -= len(plain)
                if room < 0:
                    raise AccountError("accounts.odd_answer", host=host, problem=f"> {LARGEST_BODY} B")
                yield plain

        async def aclose(self) -> None:
            await self._inner.aclose()

    response.stream = Bounded(inner)

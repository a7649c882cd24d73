"""One account's way to its WebDAV servers: logged in, within the account's own domain, with bounded answers.

Knows HTTP (RFC 9110): redirects, a refused login, being asked to wait. What is asked for is its callers' business.
"""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from assistant.accounts.dav import may_know
from assistant.accounts.problem import LoginProblem, network
from assistant.dav.xml import Multistatus, NotXml, multistatus
from assistant.errors import AccountError, AssistantError
from assistant.ports import Accounts
from assistant.remote import Account, Credential, is_this_machine

if TYPE_CHECKING:
    import httpx

LARGEST = 60_000_000
"""Bytes of one answer: a listing of 100,000 items is about 30 MB."""
_HOPS = 5
_LONGEST_WAIT_S = 3600.0
_REDIRECTS = (301, 302, 307, 308)


class Trouble(Exception):
    """The server could not be asked. `code` stands in status.json; `wait_s` is how long it wants to be left alone."""

    def __init__(self, code: str, said: str = "", wait_s: float = 0.0) -> None:
        self.code = code
        self.said = " ".join(said.split())[:200]
        self.wait_s = wait_s
        super().__init__(f"{code}: {self.said}")


_OWN = {
    "server", "throttled", "full", "redirects", "not_encrypted", "elsewhere", "not_webdav", "no_collections",
    "odd_answer", "too_large", "needs_login",
}  # fmt: skip


def code_of(trouble: Trouble) -> str:
    """The sentence of a trouble, as a code below `error.`."""
    return f"dav.{trouble.code}" if trouble.code in _OWN else f"accounts.login_{trouble.code}"


class TooLarge(Trouble):
    """An answer beyond the bound."""

    def __init__(self) -> None:
        super().__init__("too_large")


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    """Where it came from in the end."""

    @property
    def good(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300

    @property
    def etag(self) -> str:
        """ "" where there is none, or one that tells nothing of the bytes."""
        return self.headers.get("etag", "").strip()


class Refusals:
    """What a server has turned down: not shown to it again for an hour, since services lock accounts that insist."""

    def __init__(self) -> None:
        self._secret: str | None = None
        self._until = 0.0

    def add(self, credential: Credential) -> None:
        """It was refused just now."""
        self._secret = credential.secret.get_secret_value()
        self._until = time.monotonic() + _LONGEST_WAIT_S

    def holds(self, credential: Credential) -> bool:
        """Whether it would be the same again."""
        return self._secret == credential.secret.get_secret_value() and time.monotonic() < self._until


class Web:
    """Requests of one account. `async with` it."""

    def __init__(self, name: str, account: Account, accounts: Accounts, refusals: Refusals | None = None) -> None:
        self._refusals = refusals or Refusals()
        self._name = name
        self._account = account
        self._accounts = accounts
        self._credential: Credential | None = None
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Web:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._drop()

    async def send(
        self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None, most: int = LARGEST
    ) -> Answer:
        """Send it and read the answer, whatever its status; redirects are followed. Raises Trouble."""
        place = url
        for _ in range(_HOPS):
            answer = await self._logged_in(method, place, body, headers or {}, most)
            target = answer.headers.get("location", "")
            if answer.status not in _REDIRECTS or not target:
                return answer
            place = urljoin(place, target)
            self._check(place)
        raise Trouble("redirects", place)

    async def multistatus(self, method: str, url: str, body: bytes, *, depth: str = "0") -> tuple[Answer, Multistatus]:
        """A PROPFIND or REPORT; the multistatus is empty where the answer is none. Raises Trouble."""
        headers = {"Depth": depth, "Content-Type": "application/xml; charset=utf-8", "Prefer": "return=minimal"}
        answer = await self.send(method, url, body=body, headers=headers)
        if answer.status != 207:
            return answer, Multistatus([])
        try:  # a listing of thousands takes a while
            return answer, await asyncio.to_thread(multistatus, answer.body, answer.url)
        except NotXml as error:
            raise Trouble("not_webdav", str(error)) from error

    def _check(self, url: str) -> None:
        """The login goes to the account's own servers alone, and encrypted. Raises Trouble."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if parts.scheme != "https" and not (parts.scheme == "http" and is_this_machine(host)):
            raise Trouble("not_encrypted", f"{parts.scheme}://{host}")
        if not may_know(self._account, parts.scheme, host):
            raise Trouble("elsewhere", host)

    async def _logged_in(self, method: str, url: str, body: bytes, headers: Mapping[str, str], most: int) -> Answer:
        self._check(url)
        fresh = self._credential is None
        answer = await self._once(method, url, body, headers, most)
        if answer.status == 401:
            await self._drop()
            assert self._credential is not None
            self._refusals.add(self._credential)
            self._credential = await self._ask(refused=self._credential)
            answer = await self._once(method, url, body, headers, most)
        if answer.status == 401 or (answer.status == 403 and fresh and b"uthenticat" in answer.body[:2000]):
            raise Trouble("needs_login", _words(answer))
        if answer.status in (429, 503):
            raise Trouble("throttled", _words(answer), _wait(answer))
        if answer.status >= 500 and answer.status not in (501, 507):  # what these mean depends on what was asked
            raise Trouble("server", f"{answer.status} {_words(answer)}", _wait(answer))
        return answer

    async def _ask(self, refused: Credential | None) -> Credential:
        try:
            credential = await self._accounts.credential(self._name, refused=refused)
        except LoginProblem as problem:
            raise Trouble(problem.reason if problem.passing else "needs_login", problem.words) from problem
        except AssistantError as error:
            raise Trouble("needs_login", error.code) from error
        if self._refusals.holds(credential):
            raise Trouble("needs_login", "still the same")
        return credential

    async def _once(self, method: str, url: str, body: bytes, headers: Mapping[str, str], most: int) -> Answer:
        import httpx

        from assistant.accounts import login

        if self._client is None:
            if self._credential is None:
                self._credential = await self._ask(None)
            self._client = await asyncio.to_thread(login.web, self._account, self._credential)
        chunks, size = [], 0
        try:
            async with self._client.stream(
                method, url, content=body or None, headers=dict(headers), follow_redirects=False
            ) as response:
                async for chunk in response.aiter_bytes():
                    size += len(chunk)
                    if size > most:
                        raise TooLarge
                    chunks.append(chunk)
                return Answer(response.status_code, response.headers, b"".join(chunks), url)
        except AccountError as error:  # packed in a way that is no use, or beyond all bounds
            raise Trouble("odd_answer", str(error)) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            await self._drop()
            problem = network(error, urlsplit(url).hostname or "", urlsplit(url).port or 443)
            raise Trouble(problem.reason, problem.words) from error

    async def _drop(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()


def _wait(answer: Answer) -> float:
    """Retry-After (RFC 9110 §10.2.3), at most an hour."""
    said = answer.headers.get("retry-after", "").strip()
    if said.isdecimal():
        return min(float(said), _LONGEST_WAIT_S)
    if not said:
        return 0.0
    try:  # against the server's own clock where it tells it: ours may be wrong
        until = email.utils.parsedate_to_datetime(said)
        sent = answer.headers.get("date", "")
        now = email.utils.parsedate_to_datetime(sent) if sent else until.fromtimestamp(0, UTC)
        wait = (_aware(until) - _aware(now)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
    return min(max(wait, 0.0), _LONGEST_WAIT_S)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _words(answer: Answer) -> str:
    text = answer.body[:300].decode("utf-8", "replace")
    return " ".join(part for part in text.split() if "<" not in part and ">" not in part)[:120]

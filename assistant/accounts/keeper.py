"""The accounts of the settings with their secrets: the adapter of `ports.Accounts`. Keeps tokens fresh.

A refresh token that the server rotates is worth more than the access token: it is written down before anything else is
done with the answer, by one task that no caller's cancellation reaches, and by one process at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from assistant.errors import AccountError, AssistantError, NotConfigured
from assistant.locale.catalogue import Catalogue
from assistant.models import Language, Notice
from assistant.ports import Announcements, Clock, Secrets
from assistant.remote import Account, Credential, secret_name

if TYPE_CHECKING:
    from assistant.accounts.oauth import Endpoint, Tokens

_log = logging.getLogger(__name__)
_JUST_NOW_S = 60.0
_AGAIN_S = 6 * 3600.0
_LOCK_WITHIN_S = 90.0

Tell = Callable[[str, AccountError | None], Awaitable[None]]
"""What an account needs of the user; None: nothing any more."""


class KeptAccounts:
    """Adapter of `ports.Accounts`. `folder` holds locks; `tell` reaches the user, once for each secret that fails.

    What only tokens need is loaded with the first of them: every start of the daemon would pay for it.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        secrets: Secrets,
        *,
        folder: Path | None = None,
        tell: Tell | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._accounts = dict(accounts)
        self._secrets = secrets
        self._folder = folder
        self._tell = tell
        self._now = now
        self._flights: dict[str, asyncio.Task[Tokens]] = {}
        self._got: dict[str, float] = {}
        self._dead: dict[str, tuple[str, float, AccountError]] = {}
        self._told: dict[str, str] = {}
        """Of which secret of an account the user was told that it fails, as a hash."""
        self._unwritten: dict[str, tuple[str, Tokens]] = {}
        """Tokens that the store did not take, each with the refresh token that they replace."""

    def all(self) -> Mapping[str, Account]:
        """By name, in the order of the settings."""
        return self._accounts

    async def credential(self, account: str, *, refused: Credential | None = None) -> Credential:
        """What to log in with now; a token that has run out is refreshed first.

        `refused` is what the server has just turned down: it is not given again. Asked again with the same `refused`,
        this answers as soon as the user has logged in anew. Raises NotConfigured, AccountError.
        """
        known = self._accounts[account]
        if known.auth == "oauth":
            return await self._bearer(account, known, refused)
        secret = await self._secrets.get(secret_name(account))
        if not secret:
            raise NotConfigured("accounts.no_secret", account=account)
        if refused is not None and refused.secret.get_secret_value() == secret:
            problem = AccountError("accounts.refused", account=account, user=known.login)
            await self._once(account, secret, problem)
            raise problem
        await self._works(account, secret)
        return Credential(user=known.login, secret=SecretStr(secret))

    async def aclose(self) -> None:
        """Let refreshes that have begun end: a rotated token must reach the store."""
        if self._flights:
            await asyncio.wait(self._flights.values(), timeout=15)

    async def _bearer(self, account: str, known: Account, refused: Credential | None) -> Credential:
        tokens = await self._load(account)
        turned_down = refused.secret.get_secret_value() if refused is not None else None
        if turned_down == tokens.access_token.get_secret_value() or not tokens.fresh(self._now()):
            tokens = await self._renewed(account, known, tokens, turned_down)
        await self._works(account, tokens.refresh_token.get_secret_value())
        return Credential(user=known.login, kind="bearer", secret=tokens.access_token)

    async def _renewed(self, account: str, known: Account, tokens: Tokens, turned_down: str | None) -> Tokens:
        """Newer tokens, of the flight that is under way or a new one. A token that still counts outlives a bad line."""
        from assistant.accounts.oauth import OAuthProblem

        access = tokens.access_token.get_secret_value()
        if access == turned_down and time.monotonic() - self._got.get(account, -_JUST_NOW_S) < _JUST_NOW_S:
            raise AccountError("accounts.token_refused", account=account, user=known.login)
        flight = self._flights.get(account)
        if flight is None:
            flight = asyncio.create_task(self._refresh(account, known, access), name=f"refresh {account}")
            self._flights[account] = flight
            flight.add_done_callback(lambda _: self._flights.pop(account, None))
        try:
            return await asyncio.shield(flight)
        except OAuthProblem as problem:
            if problem.why == "unreachable" and access != turned_down and self._now() < tokens.expires_at:
                return tokens
            raise

    async def _refresh(self, account: str, known: Account, stale: str) -> Tokens:
        from assistant.accounts.oauth import OAuthProblem

        async with self._alone(account):
            tokens = await self._load(account)  # another process may have been here first
            if tokens.access_token.get_secret_value() != stale and tokens.fresh(self._now()):
                return tokens
            old = tokens.refresh_token.get_secret_value()
            dead = self._dead.get(account)
            if dead is not None and dead[0] == old and time.monotonic() - dead[1] < _AGAIN_S:
                raise dead[2]
            try:
                endpoint = await asyncio.to_thread(endpoint_of, known, self._now)
                new = await endpoint.refresh(tokens)
            except OAuthProblem as problem:
                if problem.why not in ("login", "client"):
                    raise
                code = "accounts.needs_login" if problem.why == "login" else "accounts.client_gone"
                needed = AccountError(code, account=account, host=problem.data["host"], words=problem.data["words"])
                self._dead[account] = (old, time.monotonic(), needed)
                await self._once(account, old, needed)
                raise needed from problem
            self._unwritten[account] = (old, new)
            await self._write(account)
            self._got[account] = time.monotonic()
            return new

    async def _load(self, account: str) -> Tokens:
        """What is kept. Newer tokens that the store has not taken yet count, unless somebody logged in meanwhile."""
        from assistant.accounts.oauth import Tokens

        kept = await self._secrets.get(secret_name(account))
        tokens = Tokens.load(kept) if kept else None
        if tokens is None:
            raise NotConfigured("accounts.no_secret", account=account)
        if (waiting := self._unwritten.get(account)) is None:
            return tokens
        if waiting[0] != tokens.refresh_token.get_secret_value():
            del self._unwritten[account]
            return tokens
        await self._write(account)
        return waiting[1]

    async def _write(self, account: str) -> None:
        """Write new tokens down; a full disk costs nothing as long as the process lives, and is tried again."""
        _, new = self._unwritten[account]
        try:
            await self._secrets.put(secret_name(account), new.dump())
        except AssistantError as error:
            _log.error("the new tokens of %s are not written down yet: %s", account, error)
        else:
            self._unwritten.pop(account, None)

    async def _once(self, account: str, secret: str, problem: AccountError) -> None:
        """Tell the user, unless it was told of this very secret before; over restarts as well."""
        name, mark = told_name(account), _mark(secret)
        if self._tell is None or await self._secrets.get(name) == mark:
            return
        self._told[account] = mark
        await self._tell(account, problem)
        with contextlib.suppress(AssistantError):
            await self._secrets.put(name, mark)

    async def _works(self, account: str, secret: str) -> None:
        """The user has logged in anew: what they were told is not true any more."""
        if self._tell is not None and self._told.get(account, _mark(secret)) != _mark(secret):
            del self._told[account]
            await self._tell(account, None)

    @contextlib.asynccontextmanager
    async def _alone(self, account: str) -> AsyncIterator[None]:
        """One process at a time refreshes an account's tokens."""
        if self._folder is None or sys.platform == "win32":
            yield
            return
        import fcntl

        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = hashlib.sha256(account.encode()).hexdigest()[:16]
        lock = os.open(self._folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            until = time.monotonic() + _LOCK_WITHIN_S
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > until:
                        raise AccountError("accounts.busy", account=account) from error
                    await asyncio.sleep(0.05)
            yield
        finally:
            os.close(lock)


def endpoint_of(account: Account, now: Callable[[], float] = time.time, client_secret: str = "") -> Endpoint:
    """The authorization server of an account. Blocks for some milliseconds (certificates)."""
    from assistant.accounts.login import tls
    from assistant.accounts.oauth import Endpoint

    assert account.oauth is not None
    return Endpoint(account.oauth, verify=tls(account), now=now, client_secret=client_secret)


def teller(announcements: Announcements, catalogue: Catalogue, language: Language, clock: Clock) -> Tell:
    """Tells the user that an account needs them, on every surface, until it does no more."""

    async def tell(account: str, problem: AccountError | None) -> None:
        name = f"account:{account}"
        announcements.withdraw(name)
        if problem is None:
            return
        message, mend = catalogue.explain(problem, language)
        announcements.keep(Notice(id=name, title=message, body=mend, at=clock.now(), urgent=True))

    return tell


def _mark(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def told_name(account: str) -> str:
    """Under which it is kept of which secret the user was told that it fails: as a hash, beside the secrets."""
    return f"{secret_name(account)}.told"

"""OAuth 2.0 as a program without a secret of its own: tokens, their refresh, device codes, revocation.

RFC 6749, 6750, 7009, 8414, 8628. Keeps nothing, and knows no accounts: see `keeper`. The way over a browser of this
machine is in `browser`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr, ValidationError

from assistant.accounts.problem import network, one_line
from assistant.concealed import conceal
from assistant.errors import AccountError
from assistant.models import Value
from assistant.remote import OAuthClient, is_this_machine

if TYPE_CHECKING:
    import ssl


DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_LARGEST = 2**20
_PATIENCE_S = 30.0
_EARLY_S = 60.0
_EARLY_SHARE = 0.2
_DEFAULT_INTERVAL_S = 5.0
_LONGEST_S = 60.0
_SLOWER_S = 5.0  # RFC 8628 §3.5

Why = Literal["denied", "expired", "login", "client", "unreachable", "odd"]
"""login: the grant is gone, the user must log in again. client: the client id is not (any more) known there."""

_LOGIN = frozenset({"invalid_grant", "interaction_required", "consent_required", "login_required"})
_CLIENT = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})
_LATER = frozenset({"temporarily_unavailable", "server_error", "slow_down"})


class OAuthProblem(AccountError):
    """A token could not be had. Data: host, words (the server's own)."""

    def __init__(self, why: Why, *, host: str, words: str = "") -> None:
        self.why = why
        super().__init__(f"accounts.oauth_{why}", host=host, words=one_line(words).rstrip(" .。") or "–")

    @property
    def passing(self) -> bool:
        """Whether it may work later without the user."""
        return self.why == "unreachable"


class Tokens(Value):
    """What a login gave. Kept as one secret, whole."""

    access_token: SecretStr
    refresh_token: SecretStr = SecretStr("")
    expires_at: float = 0.0
    """Seconds since 1970, by this machine's clock when they came; 0: not told."""
    lives_s: float = 0.0
    client_secret: SecretStr = SecretStr("")
    """Some services give even programs on a person's computer a `secret`, and want it back (Google)."""

    def fresh(self, now: float) -> bool:
        """Whether the access token will still count in a moment. A clock that was set wrong makes it stale at worst."""
        if not self.expires_at:
            return True
        early = min(_EARLY_S, self.lives_s * _EARLY_SHARE)
        return now < self.expires_at - early and self.expires_at - now <= self.lives_s + _EARLY_S

    def dump(self) -> str:
        """As the secret that is kept."""
        plain = {name: getattr(self, name) for name in type(self).model_fields}
        return json.dumps(
            {key: one.get_secret_value() if isinstance(one, SecretStr) else one for key, one in plain.items()}
        )

    @classmethod
    def load(cls, text: str) -> Tokens | None:
        """From the kept secret; None where it is none of ours (a password, say)."""
        try:
            found = cls.model_validate_json(text)
        except ValidationError:
            return None
        found.conceal()
        return found

    def conceal(self) -> None:
        """Keep them out of logs and messages."""
        for one in (self.access_token, self.refresh_token, self.client_secret):
            conceal(one.get_secret_value())


class DeviceCode(Value):
    """What the person is shown: go there, type this."""

    device_code: SecretStr
    user_code: str
    verification_uri: str
    verification_uri_complete: str = ""
    expires_in: float
    interval: float = _DEFAULT_INTERVAL_S


class Endpoint:
    """One authorization server as seen by one client. `verify` trusts a company's own authority as well."""

    def __init__(
        self,
        client: OAuthClient,
        *,
        client_secret: str = "",
        verify: ssl.SSLContext | bool = True,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.client = client
        self._secret = client_secret
        self._verify = verify
        self._now = now
        self._sleep = sleep

    async def device_code(self) -> DeviceCode:
        """Begin a login on another device. Raises OAuthProblem."""
        status, answer = await self._post(self.client.device_url, {"scope": " ".join(self.client.scopes)})
        if status != 200:
            raise self._problem(self.client.device_url, answer)
        try:
            code = DeviceCode.model_validate(answer)
        except ValidationError as error:
            raise OAuthProblem("odd", host=_host(self.client.device_url), words="device code") from error
        _only_web(code.verification_uri, code.verification_uri_complete)
        conceal(code.device_code.get_secret_value())
        return code

    async def wait_for(self, code: DeviceCode) -> Tokens:
        """Ask until the person has agreed (RFC 8628 §3.5). Raises OAuthProblem denied, expired, …"""
        until = time.monotonic() + code.expires_in
        interval = max(code.interval, 1.0)
        form = {"grant_type": DEVICE_GRANT, "device_code": code.device_code.get_secret_value()}
        while True:
            await self._sleep(interval)
            if time.monotonic() > until:
                raise OAuthProblem("expired", host=_host(self.client.token_url))
            try:
                status, answer = await self._post(self.client.token_url, form)
            except OAuthProblem as problem:
                if problem.why != "unreachable":
                    raise
                interval = min(interval * 2, _LONGEST_S)  # RFC 8628 §3.5: a connection that fails is tried less often
                continue
            match answer.get("error"):
                case None if status == 200:
                    return self._tokens(answer)
                case "authorization_pending":
                    pass
                case "slow_down":
                    interval += _SLOWER_S
                case "access_denied":
                    raise OAuthProblem("denied", host=_host(self.client.token_url))
                case "expired_token":
                    raise OAuthProblem("expired", host=_host(self.client.token_url))
                case _:
                    raise self._problem(self.client.token_url, answer)

    async def exchange(self, code: str, verifier: str, redirect: str) -> Tokens:
        """Give an authorization code for tokens (RFC 7636 §4.5). Raises OAuthProblem."""
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": redirect}
        status, answer = await self._post(self.client.token_url, form)
        if status != 200:
            raise self._problem(self.client.token_url, answer)
        return self._tokens(answer)

    async def refresh(self, tokens: Tokens) -> Tokens:
        """New tokens for old; a refresh token that the server rotates is the new one's. Raises OAuthProblem."""
        old = tokens.refresh_token.get_secret_value()
        if not old:
            raise OAuthProblem("login", host=_host(self.client.token_url), words="no refresh token")
        self._secret = self._secret or tokens.client_secret.get_secret_value()
        status, answer = await self._post(self.client.token_url, {"grant_type": "refresh_token", "refresh_token": old})
        if status != 200:
            raise self._problem(self.client.token_url, answer)
        return self._tokens(answer, old)

    async def revoke(self, tokens: Tokens) -> bool:
        """Tell the server that the tokens are no longer needed (RFC 7009). False where it knows no revocation."""
        if not self.client.revoke_url:
            return False
        self._secret = self._secret or tokens.client_secret.get_secret_value()
        done = True
        for token, kind in ((tokens.refresh_token, "refresh_token"), (tokens.access_token, "access_token")):
            if token.get_secret_value():
                form = {"token": token.get_secret_value(), "token_type_hint": kind}
                status, _ = await self._post(self.client.revoke_url, form)
                done = done and status == 200
        return done

    def _tokens(self, answer: Mapping[str, Any], old_refresh: str = "") -> Tokens:
        access, kind = answer.get("access_token"), str(answer.get("token_type", "Bearer"))
        if not isinstance(access, str) or not access or kind.casefold() != "bearer":
            raise OAuthProblem("odd", host=_host(self.client.token_url), words=f"token_type {kind[:40]}")
        try:
            lives = max(0.0, float(answer.get("expires_in") or 0))
        except (TypeError, ValueError):
            lives = 0.0
        found = Tokens(
            access_token=SecretStr(access),
            refresh_token=SecretStr(str(answer.get("refresh_token") or old_refresh)),
            expires_at=self._now() + lives if lives else 0.0,
            lives_s=lives,
            client_secret=SecretStr(self._secret),
        )
        found.conceal()
        return found

    def _problem(self, url: str, answer: Mapping[str, Any]) -> OAuthProblem:
        error = str(answer.get("error", ""))
        words = f"{error} {answer.get('error_description', '')}".strip()
        why: Why = "odd"
        if error in _LOGIN:
            why = "login"
        elif error in _CLIENT:
            why = "client"
        elif error in _LATER:
            why = "unreachable"
        elif error == "access_denied":
            why = "denied"
        return OAuthProblem(why, host=_host(url), words=words)

    async def _post(self, url: str, form: Mapping[str, str]) -> tuple[int, Mapping[str, Any]]:
        """A form to the server; its answer must be JSON. A server in trouble raises OAuthProblem unreachable."""
        if not url:
            raise OAuthProblem("odd", host=_host(self.client.token_url), words="no such endpoint")
        form = {**form, "client_id": self.client.client_id}
        if self._secret:
            form["client_secret"] = self._secret
        status, body = await _fetch("POST", url, self._verify, form)
        if status == 429 or status >= 500:
            raise OAuthProblem("unreachable", host=_host(url), words=f"HTTP {status}")
        if not body.strip():
            return status, {}
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise OAuthProblem("odd", host=_host(url), words=f"HTTP {status}") from error
        return status, answer if isinstance(answer, dict) else {}


async def discover(
    issuer: str, client_id: str, scopes: tuple[str, ...], verify: ssl.SSLContext | bool = True
) -> OAuthClient:
    """The endpoints that a server publishes (RFC 8414, OpenID Connect Discovery). Raises OAuthProblem."""
    import httpx

    base = httpx.URL(issuer)
    path = base.path.rstrip("/")
    _only_web(issuer)
    places = (
        base.copy_with(path=f"/.well-known/oauth-authorization-server{path}"),
        base.copy_with(path=f"{path}/.well-known/openid-configuration"),
    )
    for place in places:
        status, body = await _fetch("GET", str(place), verify)
        if status != 200:
            continue
        try:
            found = json.loads(body)
            if str(found["issuer"]).rstrip("/") != issuer.rstrip("/"):  # RFC 8414 §3.3
                raise OAuthProblem("odd", host=base.host, words="issuer")
            client = OAuthClient(
                client_id=client_id,
                token_url=str(found["token_endpoint"]),
                device_url=str(found.get("device_authorization_endpoint") or ""),
                authorize_url=str(found.get("authorization_endpoint") or ""),
                revoke_url=str(found.get("revocation_endpoint") or ""),
                scopes=scopes,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise OAuthProblem("odd", host=base.host, words="metadata") from error
        _only_web(client.token_url, client.device_url, client.authorize_url, client.revoke_url)
        return client
    raise OAuthProblem("odd", host=base.host, words="no metadata (RFC 8414)")


async def _fetch(
    method: str, url: str, verify: ssl.SSLContext | bool, form: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    import httpx

    _only_web(url)
    limits = httpx.Timeout(_PATIENCE_S)
    try:
        async with (
            asyncio.timeout(2 * _PATIENCE_S),
            httpx.AsyncClient(verify=verify, timeout=limits, trust_env=False) as web,
            web.stream(method, url, data=form, headers={"Accept": "application/json"}) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_bytes(2**16):
                body += chunk
                if len(body) > _LARGEST:
                    raise OAuthProblem("odd", host=_host(url), words=f"> {_LARGEST} B")
            return response.status_code, bytes(body)
    except (httpx.HTTPError, TimeoutError, OSError) as error:
        words = network(error, _host(url), 443).words
        raise OAuthProblem("unreachable", host=_host(url), words=words) from error


def _only_web(*urls: str) -> None:
    """Tokens travel encrypted, or not off this machine. A page for the person is a web page and nothing else."""
    import httpx

    for url in filter(None, urls):
        try:
            place = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise OAuthProblem("odd", host="", words=url) from error
        if place.scheme != "https" and not (place.scheme == "http" and is_this_machine(place.host)):
            raise OAuthProblem("odd", host=place.host, words=url)


def _host(url: str) -> str:
    import httpx

    return httpx.URL(url).host

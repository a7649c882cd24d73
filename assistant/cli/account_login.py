"""Asking the person for what an account is logged in with: a password, or a login on the service's own page."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from assistant.accounts.wellknown import Provider
from assistant.cli.exits import UsageProblem
from assistant.cli.shell import Shell
from assistant.remote import Account, Credential, OAuthClient

if TYPE_CHECKING:
    from assistant.accounts.check import CredentialOf
    from assistant.accounts.oauth import Endpoint, Tokens

_SCOPES = ("openid", "offline_access", "email", "mail")
"""Asked for where a server is only known by `--issuer`."""


@dataclass(frozen=True)
class How:
    """How the command line says to log in."""

    password_stdin: bool = False
    oauth: bool = False
    client_id: str = ""
    client_file: Path | None = None
    issuer: str = ""
    device: bool = False


def ask_password(shell: Shell, account: Account, provider: Provider | None, how: How) -> str:
    """The account's password, by the name the service gives it. Raises UsageProblem where nobody can be asked."""
    if how.password_stdin:
        secret = sys.stdin.readline().rstrip("\r\n")
    elif shell.interactive:
        kind = provider.logins[0] if provider else "password"
        if provider and provider.hint and kind in ("app_password", "code"):
            shell.note(shell.catalogue.text(shell.language, f"error.{_hint(provider, kind)}_mend", user=account.login))
        service = provider.title if provider else account.login
        secret = shell.secret(shell.text(f"account.ask_{kind}", user=account.login, provider=service) + " ")
    else:
        raise UsageProblem("cli.no_password", address=account.address)
    if not secret:
        raise UsageProblem("cli.no_password", address=account.address)
    return secret


def _hint(provider: Provider, kind: str) -> str:
    return f"accounts.login_needs_{kind}_{provider.hint}"


def password(account: Account, secret: str) -> CredentialOf:
    """The credential of a password."""

    async def credential(_: Credential | None) -> Credential:
        return Credential(user=account.login, secret=SecretStr(secret))

    return credential


def bearer(account: Account, tokens: Tokens) -> CredentialOf:
    """The credential of tokens that have just come."""

    async def credential(_: Credential | None) -> Credential:
        return Credential(user=account.login, kind="bearer", secret=tokens.access_token)

    return credential


def oauth_client(
    shell: Shell, account: Account, provider: Provider | None, how: How, kept: str
) -> tuple[OAuthClient, str]:
    """Where to log in and as which client, and the client's secret where the service gives one.

    `kept` is what was kept of an earlier login.
    """
    from assistant.accounts.oauth import Tokens

    before = Tokens.load(kept)
    known = account.oauth
    client_id, client_secret = how.client_id or (known.client_id if known else ""), ""
    if how.client_file is not None:
        client_id, client_secret = _client_file(how.client_file)
    if not client_id and shell.interactive:
        shell.say("account.about_client_id", provider=provider.title if provider else how.issuer or account.address)
        client_id = shell.ask("account.ask_client_id")
    if not client_id:
        raise UsageProblem("cli.no_client_id", address=account.address)
    if how.issuer:
        from assistant.accounts.login import tls
        from assistant.accounts.oauth import discover

        return shell.run(discover(how.issuer, client_id, _SCOPES, tls(account))), client_secret
    if known is not None:
        if before is not None and client_id == known.client_id:
            client_secret = client_secret or before.client_secret.get_secret_value()
        return known.model_copy(update={"client_id": client_id}), client_secret
    if provider is None or provider.oauth is None:
        raise UsageProblem("cli.no_issuer", address=account.address)
    if provider.name == "gmail" and not client_secret and shell.interactive:
        client_secret = shell.secret(shell.text("account.ask_client_secret") + " ")
    return provider.oauth.of(client_id), client_secret


def _client_file(file: Path) -> tuple[str, str]:
    """What Google's download holds. Raises UsageProblem, OSError."""
    try:
        content = json.loads(file.expanduser().read_bytes())
        found = content.get("installed") or content
        return str(found["client_id"]), str(found.get("client_secret") or "")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise UsageProblem("cli.no_client_file", file=str(file)) from error


def log_in(shell: Shell, account: Account, how: How, client_secret: str) -> Tokens:
    """Have the person log in on the service's page, here or on another device. Raises OAuthProblem, UsageProblem."""
    from assistant.accounts.keeper import endpoint_of

    endpoint = endpoint_of(account, client_secret=client_secret)
    client = endpoint.client
    if client.device_url and (how.device or not client.authorize_url or not _has_display()):
        return shell.run(_by_device(shell, endpoint))
    if not client.authorize_url:
        raise UsageProblem("cli.no_issuer", address=account.address)
    return shell.run(_by_browser(shell, endpoint, account))


async def _by_device(shell: Shell, endpoint: Endpoint) -> Tokens:
    code = await endpoint.device_code()
    shell.note(shell.text("account.device", url=code.verification_uri, code=code.user_code), style="bold")
    if code.verification_uri_complete:
        shell.note(shell.text("account.device_complete", url=code.verification_uri_complete))
    shell.note(shell.text("account.device_wait", minutes=max(1, round(code.expires_in / 60))))
    return await endpoint.wait_for(code)


async def _by_browser(shell: Shell, endpoint: Endpoint, account: Account) -> Tokens:
    from assistant.accounts import browser

    async def show(url: str) -> None:
        shell.note(shell.text("account.browser", url=url))
        if _has_display():
            webbrowser.open(url)
        elif sys.stdin.isatty():
            shell.note(shell.text("account.browser_paste"))

    pasted = _pasted if sys.stdin.isatty() and sys.platform != "win32" else None
    return await browser.log_in(
        endpoint, show, page=shell.text("account.browser_done"), pasted=pasted, hint=account.login
    )


async def _pasted() -> str:
    """The next line typed, without a thread that would wait for it for ever."""
    import asyncio

    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str] = loop.create_future()
    descriptor = sys.stdin.fileno()

    def readable() -> None:
        if not typed.done():
            typed.set_result(os.read(descriptor, 16384).decode("utf-8", "replace"))

    loop.add_reader(descriptor, readable)
    try:
        return await typed
    finally:
        loop.remove_reader(descriptor)


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))

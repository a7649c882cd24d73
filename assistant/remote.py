"""Accounts with servers elsewhere, as values: where they are, and what to log in with. Nothing here connects."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from assistant.models import Value

Security = Literal["tls", "starttls", "none"]
"""tls: from the first byte. starttls: asked for before the login, and no login without it. none: this machine only."""

ACCOUNT_NAME = r"^\w[\w-]{0,31}$"
"""Names of accounts: they become names of folders and of secrets, and stand before the folders of a mailbox."""


class Place(Value):
    """A server's door."""

    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    security: Security = "tls"

    @model_validator(mode="after")
    def _not_in_the_clear(self) -> Self:
        if self.security == "none" and not is_this_machine(self.host):
            raise ValueError(f"a password would travel in the clear to {self.host}: take tls or starttls")
        return self


class OAuthClient(Value):
    """How this program introduces itself to an OAuth 2.0 server (RFC 6749): a public client."""

    client_id: str
    token_url: str
    device_url: str = ""
    """Device Authorization Grant (RFC 8628); empty where the server has none."""
    authorize_url: str = ""
    """Authorization Code with PKCE and a loopback redirect (RFC 8252)."""
    redirect: str = "http://127.0.0.1/callback"
    """The loopback address registered for it, without a port: one that is free is added (RFC 8252 §7.3)."""
    revoke_url: str = ""
    """RFC 7009."""
    scopes: tuple[str, ...] = ()

    @field_validator("redirect")
    @classmethod
    def _here(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme != "http" or not is_this_machine(parts.hostname or "") or parts.port or parts.query:
            raise ValueError(f"{address!r} is no loopback address without a port")
        return address


class Account(Value):
    """One account of the user: its servers, each of which may be absent. Its secret is kept under `secret_name`."""

    address: str
    person: str = ""
    """The name its mails carry; empty takes the one of the profile."""
    user: str = ""
    """The name to log in with; empty: the address."""
    auth: Literal["password", "oauth"] = "password"
    oauth: OAuthClient | None = None
    imap: Place | None = None
    smtp: Place | None = None
    caldav: str = ""
    """Where discovery begins (RFC 6764), or the principal or calendar home itself."""
    carddav: str = ""
    ca_file: Path | None = None
    """Certificates that are trusted besides the system's: a company's own authority, as PEM."""

    @field_validator("caldav", "carddav")
    @classmethod
    def _encrypted(cls, url: str) -> str:
        if url and not url.startswith("https://"):
            host = url.removeprefix("http://").partition("/")[0].rpartition(":")[0] or url.removeprefix("http://")
            if not url.startswith("http://") or not is_this_machine(host.strip("[]")):
                raise ValueError(f"{url!r} is no https:// address")
        return url

    @model_validator(mode="after")
    def _has_client(self) -> Self:
        if self.auth == "oauth" and self.oauth is None:
            raise ValueError("auth: oauth needs oauth: {client_id, token_url, …}")
        return self

    @property
    def login(self) -> str:
        """The name to log in with."""
        return self.user or self.address


class Credential(Value):
    """What to log in with now. Not kept: ask `ports.Accounts` again for each connection."""

    user: str
    kind: Literal["password", "bearer"] = "password"
    secret: SecretStr
    """The password, or an access token (RFC 6750)."""


def secret_name(account: str) -> str:
    """The name under which the secret of an account is kept."""
    return f"account.{account}"


def is_this_machine(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

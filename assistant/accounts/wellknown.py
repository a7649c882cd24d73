"""The mail and calendar services people have, and in what each differs: a table (`wellknown.yaml`), no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from assistant.locale.catalogue import LANGUAGES
from assistant.remote import Account, OAuthClient, Place, Security, is_this_machine

Login = Literal["password", "app_password", "code", "oauth"]
"""app_password: one made for a program, the account's own is refused. code: the 授权码 of Chinese services."""

_FILE = Path(__file__).with_name("wellknown.yaml")
_PORTS: dict[int, Security] = {993: "tls", 465: "tls", 143: "starttls", 587: "starttls", 25: "starttls"}


@dataclass(frozen=True)
class Quirks:
    """How to behave towards a server."""

    files_sent: bool = False
    """It keeps the copy of what is sent through it: a second one must not be appended."""
    send_id: bool = False
    """It wants ID (RFC 2971) after the login, before any folder is opened."""
    poll_s: int = 180
    """How often to look where it does not push."""
    idle: bool = True
    """Whether IDLE may be used where it is offered."""
    connections: int = 3
    """How many connections at once it bears."""


@dataclass(frozen=True)
class Client:
    """The OAuth 2.0 endpoints of a service; the client id is the user's own."""

    token_url: str
    device_url: str = ""
    authorize_url: str = ""
    redirect: str = "http://127.0.0.1/callback"
    revoke_url: str = ""
    scopes: tuple[str, ...] = ()

    def of(self, client_id: str) -> OAuthClient:
        """With the user's own id."""
        return OAuthClient(client_id=client_id, **asdict(self))


@dataclass(frozen=True)
class Provider:
    """One service."""

    name: str
    title: Mapping[str, str]
    """Its name in each language of the catalogues."""
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    """Endings of the names of its MX hosts, by which a company's own domain is known to be kept there."""
    imap: str = ""
    smtp: str = ""
    hosts: tuple[str, ...] = ()
    """Further names of its mail hosts."""
    caldav: str = ""
    carddav: str = ""
    dav_hosts: tuple[str, ...] = ()
    """Endings of hosts that its calendars are spread over: they get the credential as well."""
    logins: tuple[Login, ...] = ("password",)
    """How to log in, the easiest way first."""
    hint: str = ""
    """Whose words say how to get an app password or a code (`accounts.login_needs_…_<hint>` of the catalogue)."""
    oauth: Client | None = None
    confirmed: bool = False
    """Whether the row comes from the service's own documents or a report, and not from general knowledge alone."""
    quirks: Quirks = Quirks()

    @property
    def imap_place(self) -> Place | None:
        """Its IMAP server."""
        return place(self.imap) if self.imap else None

    @property
    def smtp_place(self) -> Place | None:
        """Where it takes mail to send."""
        return place(self.smtp) if self.smtp else None


@cache
def providers() -> tuple[Provider, ...]:
    """All rows, in the order of the table."""
    from ruamel.yaml import YAML

    rows = YAML(typ="safe", plug_ins=[]).load(_FILE.read_text(encoding="utf-8"))
    return tuple(_row(name, row) for name, row in rows.items())


def _row(name: str, row: dict[str, Any]) -> Provider:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    if isinstance(row["title"], str):
        fields["title"] = dict.fromkeys(LANGUAGES, row["title"])
    if client := row.get("oauth"):
        fields["oauth"] = Client(**{**client, "scopes": tuple(client["scopes"])})
    fields["quirks"] = Quirks(**row.get("quirks", {}))
    return Provider(name=name, **fields)


def by_address(address: str) -> Provider | None:
    """The service whose own domain an address is of."""
    domain = address.rpartition("@")[2].strip().casefold()
    return next((one for one in providers() if domain in one.domains), None)


def by_host(host: str, port: int = 0) -> Provider | None:
    """The service that a mail host belongs to. One on this machine (Proton's bridge) is known by its port."""
    wanted = host.casefold().rstrip(".")
    if is_this_machine(wanted):
        doors = ((one, door) for one in providers() for door in (one.imap_place, one.smtp_place) if door)
        return next((one for one, door in doors if is_this_machine(door.host) and door.port == port), None)
    for one in providers():
        if any(wanted == known.partition(":")[0] for known in (one.imap, one.smtp, *one.hosts) if known):
            return one
    return None


def by_mx(host: str) -> Provider | None:
    """The service that an MX host belongs to."""
    wanted = f".{host.casefold().rstrip('.')}"
    return next((one for one in providers() if any(wanted.endswith(f".{ending}") for ending in one.mx)), None)


def of(account: Account) -> Provider | None:
    """The service that keeps an account, by its servers, else by its address where it names no mail server."""
    for door in (account.imap, account.smtp):
        if door is not None:
            return by_host(door.host, door.port)
    return by_address(account.address)


def quirks(account: Account) -> Quirks:
    """How to behave towards the account's mail server."""
    known = of(account)
    return known.quirks if known else Quirks()


def place(text: str, *, smtp: bool = False) -> Place:
    """`host[:port][/tls|starttls|none]` as a place; what is left out follows the port. Raises ValueError."""
    address, _, wanted = text.partition("/")
    host, separator, number = address.rpartition(":")
    if not separator or "]" in number:
        host, number = address, ""
    if number and not number.isdecimal():
        raise ValueError(f"{number!r} is no port")
    port = int(number) if number else 465 if smtp else 993
    security = wanted or _PORTS.get(port, "tls")
    return Place.model_validate({"host": host.strip("[]"), "port": port, "security": security})

"""Real CalDAV and CardDAV servers of the tests' own, each on a free port of 127.0.0.1: Radicale and Xandikos.

`with Radicale() as server:` has `server.url` (where discovery begins), users made on demand, and makes collections by
the protocol itself (RFC 4791 MKCALENDAR, RFC 5689 extended MKCOL). Both are packages of the developer's extra.
"""

from __future__ import annotations

import importlib.util
import shutil
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self
from xml.sax.saxutils import escape

import httpx

from assistant.remote import Account
from tests.support.servers import certificates
from tests.support.servers.certificates import Certificates, Kind
from tests.support.servers.process import LOCAL, Kept, Missing, folder, free_ports, listens, retried

_RADICALE = """\
[server]
hosts = {local}:{port}
max_connections = 50
{tls}
[auth]
type = htpasswd
htpasswd_filename = {base}/users
htpasswd_encryption = plain
delay = 0
[storage]
filesystem_folder = {base}/collections
[logging]
level = warning
"""
_CALENDAR = """\
<?xml version="1.0" encoding="utf-8"?>
<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><displayname>{name}</displayname>
<C:supported-calendar-component-set>{kinds}</C:supported-calendar-component-set></prop></set></C:mkcalendar>"""
_BOOK = """\
<?xml version="1.0" encoding="utf-8"?>
<mkcol xmlns="DAV:" xmlns:A="urn:ietf:params:xml:ns:carddav"><set><prop>
<resourcetype><collection/><A:addressbook/></resourcetype><displayname>{name}</displayname></prop></set></mkcol>"""
_serial = count(1)


@dataclass(frozen=True)
class DavUser:
    """Somebody with calendars and address books."""

    name: str
    password: str
    home: str
    """The URL under which the collections lie."""


class _Server:
    """What both have in common."""

    name = ""

    def __init__(self) -> None:
        if importlib.util.find_spec(self.name) is None:
            raise Missing(f"NO SERVER: {self.name} is not installed (pip install -e '.[dev]')")
        self.base = Path()
        self.port = 0
        self._kept: Kept | None = None

    def __enter__(self) -> Self:
        retried(self._first)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.base, ignore_errors=True)

    @property
    def url(self) -> str:
        """Where discovery begins."""
        return f"http://{LOCAL}:{self.port}/"

    @property
    def log(self) -> Path:
        """What the server wrote."""
        return self.base / "server.log"

    def start(self) -> None:
        """Start, again at the same port and with the same data."""
        self._kept = Kept(self.base, self.log, self._command(), {"PYTHONUNBUFFERED": "1"})
        self._kept.until(lambda: listens(self.port), self.name)

    def stop(self) -> None:
        """Stop; the data stay."""
        if self._kept is not None:
            self._kept.stop()
            self._kept = None

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def client(self, user: DavUser) -> httpx.Client:
        """A plain HTTP client that is logged in: an independent view of what is on the server."""
        return httpx.Client(auth=(user.name, user.password), base_url=user.home, timeout=30, verify=self._verify())

    def calendar(self, user: DavUser, name: str, kinds: Sequence[str] = ("VEVENT", "VTODO"), title: str = "") -> str:
        """Make a calendar; gives its URL."""
        comps = "".join(f'<C:comp name="{kind}"/>' for kind in kinds)
        return self._make(user, name, "MKCALENDAR", _CALENDAR.format(name=escape(title or name), kinds=comps))

    def address_book(self, user: DavUser, name: str, title: str = "") -> str:
        """Make an address book; gives its URL."""
        return self._make(user, name, "MKCOL", _BOOK.format(name=escape(title or name)))

    def put(self, user: DavUser, url: str, text: str, **headers: str) -> httpx.Response:
        """Write one item, as another device would."""
        kind = "text/vcard" if url.endswith(".vcf") else "text/calendar"
        with self.client(user) as client:
            return client.put(url, content=text.encode(), headers={"Content-Type": f"{kind}; charset=utf-8", **headers})

    def account(self, user: DavUser, address: str = "") -> Account:
        """The account as config.yaml has it."""
        address = address or f"{user.name}@pda.test"
        return Account(address=address, user=user.name, caldav=self.url, carddav=self.url, ca_file=self._trusted())

    def _make(self, user: DavUser, name: str, method: str, body: str) -> str:
        url = f"{user.home}{name}/"
        with self.client(user) as client:
            client.request(
                method, url, content=body.encode(), headers={"Content-Type": "application/xml"}
            ).raise_for_status()
        return url

    def _first(self) -> None:
        self.base = folder(self.name)
        (self.port,) = free_ports(1)
        self._prepare()
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self.base, ignore_errors=True)
            raise

    def _prepare(self) -> None:
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _trusted(self) -> Path | None:
        return None

    def _verify(self) -> ssl.SSLContext | bool:
        return True


class Radicale(_Server):
    """Radicale, with or without TLS. https://radicale.org"""

    name = "radicale"

    def __init__(self, *, tls: bool = False) -> None:
        super().__init__()
        self._tls = tls
        self.certificates: Certificates | None = None

    @property
    def url(self) -> str:
        """With TLS by name, as the certificate has it."""
        return f"https://localhost:{self.port}/" if self._tls else super().url

    def user(self, name: str = "") -> DavUser:
        """A new user without collections."""
        name = name or f"user{next(_serial)}"
        with (self.base / "users").open("a", encoding="utf-8") as file:
            file.write(f"{name}:{name}-dav-pw\n")
        made = DavUser(name, f"{name}-dav-pw", f"{self.url}{name}/")
        with self.client(made) as client:  # the first login makes the principal
            client.request("PROPFIND", made.home, headers={"Depth": "0"}).raise_for_status()
        return made

    def present(self, kind: Kind) -> None:
        """Restart with another certificate."""
        self._configure(kind)
        self.restart()

    def _prepare(self) -> None:
        (self.base / "users").touch()
        if self._tls:
            self.certificates = certificates.make(self.base / "tls")
        self._configure("right")

    def _configure(self, kind: Kind) -> None:
        tls = ""
        if self.certificates is not None:
            tls = f"ssl = True\ncertificate = {self.certificates.chain(kind)}\nkey = {self.certificates.key(kind)}\n"
        written = _RADICALE.format(local=LOCAL, port=self.port, base=self.base, tls=tls)
        (self.base / "config").write_text(written, encoding="utf-8")

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "radicale", "--config", str(self.base / "config")]

    def _trusted(self) -> Path | None:
        return self.certificates.ca_file if self.certificates else None

    def _verify(self) -> ssl.SSLContext | bool:
        return self.certificates.client() if self.certificates else True


class Xandikos(_Server):
    """Xandikos: one user, no login, every item in git. https://www.xandikos.org"""

    name = "xandikos"
    principal = "alice"

    def user(self, name: str = "") -> DavUser:
        """The one user; further ones get collections of their own in the same home."""
        return DavUser(self.principal, "any", f"{self.url}{self.principal}/calendars/")

    def address_book(self, user: DavUser, name: str, title: str = "") -> str:
        """Xandikos has homes of their own for address books."""
        home = f"{self.url}{self.principal}/contacts/"
        return super().address_book(DavUser(user.name, user.password, home), name, title)

    def _prepare(self) -> None:
        (self.base / "data").mkdir()

    def _command(self) -> list[str]:
        where = ["-l", LOCAL, "-p", str(self.port), "-d", str(self.base / "data")]
        command = [sys.executable, "-m", "xandikos", "serve", *where, "--defaults"]
        return [*command, "--current-user-principal", f"/{self.principal}/"]

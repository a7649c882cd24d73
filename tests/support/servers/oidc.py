"""A real OpenID provider on loopback (npm oidc-provider), and the person with a browser who says yes or no there.

Device Authorization Grant (RFC 8628), Authorization Code with PKCE (RFC 7636, RFC 8252), refresh tokens that rotate,
introspection (RFC 7662) for the mail server, revocation (RFC 7009), metadata at
`/.well-known/openid-configuration`.
"""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from assistant.remote import OAuthClient
from tests.support.servers.process import HERE, LOCAL, Kept, Missing, folder, free_ports, program, retried

CLIENT = "pda-desktop"
_SERVER, _SECRET = "pda-mail", "pda-mail-secret"
SCOPES = ("openid", "offline_access", "email", "mail")
_PAGES = 8
_ABORT = "[ Abort ]"


class Oidc:
    """The provider. `access_s` is how long an access token lives, `device_s` a device code."""

    def __init__(
        self, *, port: int = 0, access_s: int = 3600, device_s: int = 120, refresh_s: int = 86400, rotate: bool = True
    ) -> None:
        self._node = program("node", "nodejs")
        if not (HERE / "node_modules" / "oidc-provider").is_dir():
            raise Missing(
                "NO SERVER: oidc-provider is not fetched (npm ci --ignore-scripts --prefix tests/support/servers)"
            )
        self._wanted = {"access_s": access_s, "device_s": device_s, "refresh_s": refresh_s, "rotate": rotate}
        self._fixed, self.port = port, port
        self.base = Path()
        self._kept: Kept | None = None

    def __enter__(self) -> Self:
        retried(self.start)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and wait until it gives its metadata. It keeps nothing: all tokens are gone after a restart."""
        self.port = self._fixed or free_ports(1)[0]
        self.base = folder("oidc")
        names = {"client": CLIENT, "server": _SERVER, "secret": _SECRET, "issuer": self.issuer, "port": self.port}
        env = {"OIDC": json.dumps({**names, **self._wanted}), "NODE_NO_WARNINGS": "1"}
        self._kept = Kept(self.base, self.base / "server.log", [self._node, str(HERE / "oidc.mjs")], env)
        self._kept.until(self._ready, "the OpenID provider")

    def stop(self) -> None:
        """Stop it."""
        if self._kept is not None:
            self._kept.stop()
            self._kept = None
        shutil.rmtree(self.base, ignore_errors=True)

    @property
    def issuer(self) -> str:
        """Its name, which is also where it is."""
        return f"http://{LOCAL}:{self.port}"

    @property
    def introspection(self) -> str:
        """Where a mail server asks, with the server's own name and secret in it."""
        return self.introspection_at(self.port)

    @staticmethod
    def introspection_at(port: int) -> str:
        """The same for a provider that will be at that port."""
        return f"http://{_SERVER}:{_SECRET}@{LOCAL}:{port}/token/introspection"

    def metadata(self) -> dict[str, Any]:
        """RFC 8414."""
        found: dict[str, Any] = httpx.get(f"{self.issuer}/.well-known/openid-configuration").raise_for_status().json()
        return found

    def client(self) -> OAuthClient:
        """How the assistant introduces itself to it."""
        says = self.metadata()
        return OAuthClient(
            client_id=CLIENT,
            token_url=says["token_endpoint"],
            device_url=says["device_authorization_endpoint"],
            authorize_url=says["authorization_endpoint"],
            revoke_url=says["revocation_endpoint"],
            scopes=SCOPES,
        )

    def seen(self) -> list[dict[str, Any]]:
        """What it was asked, oldest first: route, status, grant, error."""
        found: list[dict[str, Any]] = httpx.get(f"{self.issuer}/seen").raise_for_status().json()
        return found

    def active(self, token: str) -> bool:
        """Whether a token is good, as the mail server would hear it."""
        answer = httpx.post(f"{self.issuer}/token/introspection", data={"token": token}, auth=(_SERVER, _SECRET))
        return bool(answer.raise_for_status().json()["active"])

    def revoke(self, token: str) -> None:
        """What a person does who takes the permission back: the token, and with a refresh token its whole grant."""
        httpx.post(f"{self.issuer}/token/revocation", data={"token": token, "client_id": CLIENT}).raise_for_status()

    def approve(self, verification_url: str, person: str, *, user_code: str = "", yes: bool = True) -> str:
        """Enter a device's code in a browser, log in as `person`, and say yes or no. Gives the last page's text."""
        with httpx.Client(follow_redirects=True, timeout=30) as browser:
            page = browser.get(verification_url)
            for _ in range(_PAGES):
                if "<form" not in page.text:
                    return _text(page)
                last = not yes and _ABORT in page.text
                page = _answer(browser, page, person, user_code, yes=yes)
                if last:
                    return _text(page)
        raise AssertionError(f"the provider asks and asks: {_text(page)}")

    def authorize(self, url: str, person: str, *, yes: bool = True) -> str:
        """Open a login page, log in, say yes or no. Gives the address that the browser is sent to at the end."""
        with httpx.Client(timeout=30) as browser:
            page = browser.get(url)
            for _ in range(4 * _PAGES):
                if page.is_redirect:
                    target = str(page.url.join(page.headers["location"]))
                    if urlsplit(target).port != self.port:
                        return target
                    page = browser.get(target)
                else:
                    page = _answer(browser, page, person, "", yes=yes)
        raise AssertionError(f"the provider asks and asks: {_text(page)}")

    def _ready(self) -> bool:
        try:
            return bool(self.metadata())
        except httpx.HTTPError:
            return False


def _answer(browser: httpx.Client, page: httpx.Response, person: str, user_code: str, *, yes: bool) -> httpx.Response:
    """Fill in the form of a page and send it."""
    found = re.search(r"<form.*?</form>", page.text, re.S)
    assert found is not None, _text(page)
    form = found.group(0)
    inputs = [dict(re.findall(r'(\w+)="([^"]*)"', one)) for one in re.findall(r"<input[^>]*>", form)]
    data = {one["name"]: html.unescape(one.get("value", "")) for one in inputs if "name" in one}
    if "login" in data:
        data |= {"login": person, "password": "any"}
    if not yes and _ABORT in page.text:
        data["abort"] = "yes"
    elif user_code and "user_code" in data:
        data["user_code"] = user_code
    if not yes and (cancel := re.search(r'href="([^"]+/abort)"', page.text)) and "login" not in data:
        return browser.get(str(page.url.join(html.unescape(cancel.group(1)))))
    action = re.search(r'action="([^"]+)"', form)
    assert action is not None, form
    return browser.post(str(page.url.join(html.unescape(action.group(1)))), data=data)


def _text(page: httpx.Response) -> str:
    plain = re.sub(r"<style.*?</style>|<script.*?</script>", "", page.text, flags=re.S)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", plain))).strip()

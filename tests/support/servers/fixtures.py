"""Fixtures of the real servers: each is started once for a test process, at its first use, and stopped at the end.

Tests keep apart by taking new users (`mail_servers.user()`). A program that is missing skips them with one line, and
fails them where REQUIRE_SERVERS=1, as `.ci/run` has it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TypeVar

import pytest

from tests.support.servers.dav import Radicale, Xandikos
from tests.support.servers.mail import MailServers
from tests.support.servers.oidc import Oidc
from tests.support.servers.process import Missing, free_ports

Server = TypeVar("Server", MailServers, Radicale, Xandikos, Oidc)


def missing(problem: Missing) -> None:
    """Skip, or fail where servers are required."""
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(str(problem), pytrace=False)
    pytest.skip(str(problem))


def running(stack: ExitStack, kind: type[Server], **options: object) -> Server:
    """Start one that stops with the stack."""
    try:
        return stack.enter_context(kind(**options))  # type: ignore[arg-type]
    except Missing as problem:
        missing(problem)
        raise


@pytest.fixture(scope="session")
def oidc_port() -> int:
    """Where the OpenID provider is or will be: the mail server asks it whose a token is."""
    return free_ports(1)[0]


@pytest.fixture(scope="session")
def mail_servers(oidc_port: int) -> Iterator[MailServers]:
    """Dovecot and Postfix. Bearer tokens are good if the `oidc` fixture runs and gave them."""
    with ExitStack() as stack:
        yield running(stack, MailServers, introspection=Oidc.introspection_at(oidc_port))


@pytest.fixture(scope="session")
def oidc(oidc_port: int) -> Iterator[Oidc]:
    """The OpenID provider, with access tokens that live for an hour; take an `Oidc(access_s=…)` for shorter ones."""
    with ExitStack() as stack:
        yield running(stack, Oidc, port=oidc_port)


@pytest.fixture(scope="session")
def radicale() -> Iterator[Radicale]:
    """Radicale over HTTP on loopback."""
    with ExitStack() as stack:
        yield running(stack, Radicale)


@pytest.fixture(scope="session")
def xandikos() -> Iterator[Xandikos]:
    """Xandikos over HTTP on loopback."""
    with ExitStack() as stack:
        yield running(stack, Xandikos)

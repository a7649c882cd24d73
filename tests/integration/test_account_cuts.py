"""A line that is cut anywhere in a login is a bad line: the password was not turned down, whatever a library says."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from assistant.accounts import login
from assistant.accounts.login import LoginProblem
from assistant.remote import Account, Credential
from tests.support.cutting import Line, Way
from tests.support.servers.mail import MailServers

_STEP = 53
_LONGEST = 5_000


def over_imap(account: Account, credential: Credential) -> None:
    login.imap(account, credential, timeout=10).shutdown()


def over_smtp(account: Account, credential: Credential) -> None:
    async def act() -> None:
        (await login.smtp(account, credential, timeout=10)).close()

    asyncio.run(act())


@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("kind", ["imap", "smtp"])
def test_a_login_that_is_cut_anywhere_is_no_refusal(
    mail_servers: MailServers, kind: str, way: Way, reset: bool
) -> None:
    user = mail_servers.user()
    credential = Credential(user=user.address, kind="password", secret=SecretStr(user.password))
    dovecot = mail_servers.dovecot
    found: list[LoginProblem] = []
    with Line(dovecot.imaps if kind == "imap" else dovecot.submissions) as line:
        imap, smtp = (line.port, None) if kind == "imap" else (None, line.port)
        account = mail_servers.account(user, imap=imap, smtp=smtp)
        for count in range(0, _LONGEST, _STEP):
            line.cut_after(count, way, times=1, reset=reset)
            try:
                (over_imap if kind == "imap" else over_smtp)(account, credential)
            except LoginProblem as problem:
                found.append(problem)
            else:
                break
            finally:
                line.heal()
    assert len(found) > 10
    assert [f"{one.reason}: {one.words}" for one in found if not one.passing] == []

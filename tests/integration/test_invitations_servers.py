"""Two people invite each other through Dovecot and Postfix: nothing is set up but an account each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from assistant.models import Person, UserContext
from assistant.paths import Paths
from assistant.remote import secret_name
from assistant.safety.secrets import open_secrets
from tests.integration.test_invitations import Somebody
from tests.support.servers.mail import MailServers, User
from tests.support.talk import folders, talking

_PATIENCE_S = 40.0


async def keep_password(paths: Paths, user: User) -> None:
    await open_secrets(paths).put(secret_name("work"), user.password)


async def until(ask: Callable[[], Awaitable[str]], words: str) -> str:
    """Ask again until the answer has these words."""
    began = time.monotonic()
    while words not in (told := await ask()):
        assert time.monotonic() - began < _PATIENCE_S, told
        await asyncio.sleep(0.3)
    return told


@pytest.fixture
async def two(mail_servers: MailServers, tmp_path: Path) -> AsyncIterator[tuple[Somebody, Somebody]]:
    mei, bob = mail_servers.user(), mail_servers.user()
    async with AsyncExitStack() as stack:
        people = []
        for name, own, other in (
            ("Mei Lin", mei, Person(name="Bob Miller", aliases=("Bob",), email=bob.address)),
            ("Bob Miller", bob, Person(name="Mei Lin", aliases=("Mei",), email=mei.address)),
        ):
            home = tmp_path / own.address
            await keep_password(folders(home), own)
            talk = await stack.enter_async_context(
                talking(
                    home,
                    UserContext(name=name, zone="Europe/Berlin", contacts=(other,)),
                    accounts={"work": mail_servers.settings(own)},
                    approvals={"hold_s": 0},
                )
            )
            people.append(Somebody(talk, home, home))
        yield people[0], people[1]


async def test_an_invitation_goes_out_and_its_answer_comes_back_over_the_accounts(
    two: tuple[Somebody, Somebody], mail_servers: MailServers
) -> None:
    mei, bob = two
    me, him = mei.home.name, bob.home.name
    events = await mei.talk.say("invite Bob to lunch tomorrow at 12:30")
    approval = next(event.approval for event in events if event.type == "approval-wanted")
    assert me in str(approval.prepared.fields)
    await mei.says("yes")
    await mei.left()
    assert mei.status_of(him) == "NEEDS-ACTION"
    await until(lambda: bob.says("do I have open invitations"), "lunch")
    assert "Accept the invitation: lunch" in await bob.says("accept it")
    await bob.says("yes")
    await bob.left()
    assert bob.status_of(him) == "ACCEPTED"
    await until(lambda: mei.says("read the mail from Bob"), "will come: lunch")
    await mei.looks()
    assert mei.status_of(him) == "ACCEPTED"
    await mei.says("cancel the lunch tomorrow", "yes")
    await mei.left()
    await until(lambda: bob.says("do I have open invitations"), "Cancelled by Mei Lin")
    assert "Marked as cancelled: lunch" in await bob.says("mark it as cancelled")
    assert str(bob.events[0]["STATUS"]) == "CANCELLED"

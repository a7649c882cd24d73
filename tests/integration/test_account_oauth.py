"""OAuth 2.0 end to end against a real OpenID provider on loopback: device code, browser, refresh, revocation.

One fake: a provider that says `slow_down` or is in trouble, which the real one never does.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from assistant.accounts import browser, login
from assistant.accounts.keeper import KeptAccounts, teller, told_name
from assistant.accounts.oauth import DeviceCode, Endpoint, OAuthProblem, Tokens, discover
from assistant.errors import AccountError, AssistantError, NotConfigured
from assistant.events import Noticed
from assistant.locale import Catalogue
from assistant.notify.announce import Announcer
from assistant.notify.bus import EventBus
from assistant.remote import Account, Credential, OAuthClient, secret_name
from tests.support.context import MemorySecrets
from tests.support.servers.fixtures import running
from tests.support.servers.mail import MailServers
from tests.support.servers.oidc import CLIENT, SCOPES, Oidc

PERSON = "somebody@pda.test"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def short() -> Iterator[Oidc]:
    """A provider whose access tokens live for 6 seconds, its device codes for 3."""
    with ExitStack() as stack:
        yield running(stack, Oidc, access_s=6, device_s=3)


def quick(code: DeviceCode) -> DeviceCode:
    return code.model_copy(update={"interval": 1.0})


async def by_device(oidc: Oidc, person: str = PERSON, *, yes: bool = True) -> Tokens:
    endpoint = Endpoint(oidc.client())
    code = await endpoint.device_code()
    waiting = asyncio.create_task(endpoint.wait_for(quick(code)))
    await asyncio.sleep(1.2)  # it has asked once, in vain
    await asyncio.to_thread(oidc.approve, code.verification_uri_complete, person, user_code=code.user_code, yes=yes)
    return await waiting


def secret(tokens: Tokens) -> str:
    return tokens.access_token.get_secret_value()


def renewal(tokens: Tokens) -> str:
    return tokens.refresh_token.get_secret_value()


# --- device code -----------------------------------------------------------------------------------------------


async def test_a_device_code_gives_tokens_once_the_person_has_agreed(oidc: Oidc) -> None:
    tokens = await by_device(oidc)
    assert oidc.active(secret(tokens))
    assert renewal(tokens)
    assert tokens.fresh(time.time())
    pending = [one for one in oidc.seen() if one.get("error") == "authorization_pending"]
    assert pending, "it was asked before the person agreed, and waited"


async def test_a_no_is_a_no(oidc: Oidc) -> None:
    with pytest.raises(OAuthProblem) as caught:
        await by_device(oidc, yes=False)
    assert caught.value.why == "denied"
    assert "您" in Catalogue().explain(caught.value, "zh")[0]


async def test_a_device_code_runs_out(short: Oidc) -> None:
    endpoint = Endpoint(short.client())
    code = await endpoint.device_code()
    for known in (code.expires_in, 60.0):  # by our own clock, and by the server's word
        with pytest.raises(OAuthProblem) as caught:
            await endpoint.wait_for(quick(code).model_copy(update={"expires_in": known}))
        assert caught.value.why == "expired"
    assert "expired_token" in [one.get("error") for one in short.seen()]


# --- browser ---------------------------------------------------------------------------------------------------


async def by_browser(
    oidc: Oidc, client: OAuthClient, *, yes: bool = True, first: Callable[[str], None] | None = None
) -> Tokens:
    def visit(url: str) -> None:
        if first is not None:
            first(url)
        back = oidc.authorize(url, PERSON, yes=yes)
        page = httpx.get(back)
        assert (page.status_code, "Finished." in page.text) == (200, True)
        assert page.headers["cache-control"] == "no-store"

    async def show(url: str) -> None:
        visits.append(asyncio.create_task(asyncio.to_thread(visit, url)))

    visits: list[asyncio.Task[None]] = []
    try:
        return await browser.log_in(Endpoint(client), show, page="Finished.", hint=PERSON)
    finally:
        await asyncio.gather(*visits)


async def test_a_browser_login_with_pkce_and_a_loopback_redirect(oidc: Oidc) -> None:
    shown: list[str] = []
    tokens = await by_browser(oidc, oidc.client(), first=shown.append)
    assert oidc.active(secret(tokens))
    assert renewal(tokens)
    [asked] = [parse_qs(urlsplit(url).query) for url in shown]
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    back = urlsplit(asked["redirect_uri"][0])
    assert (back.hostname, back.path) == ("127.0.0.1", "/callback")
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", back.port or 0), 2):
        pass  # the listener is gone


async def test_the_listener_takes_the_one_right_answer(oidc: Oidc) -> None:
    def nuisance(url: str) -> None:
        asked = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        back, state = asked["redirect_uri"], asked["state"]
        port = urlsplit(back).port
        assert httpx.get(f"{back}?code=stolen&state=guessed").status_code == 400
        assert httpx.get(f"{back}?code=stolen").status_code == 400
        assert httpx.get(f"{back}?code=a&state={state}&state={state}").status_code == 400
        assert httpx.get(f"http://127.0.0.1:{port}/elsewhere?code=a&state={state}").status_code == 404
        assert httpx.post(f"{back}?code=a&state={state}").status_code == 404
        assert httpx.get(f"{back}?code=a&state={state}", headers={"Host": "evil.example"}).status_code == 400
        with socket.create_connection(("127.0.0.1", port or 0)) as rubbish:
            rubbish.sendall(b"\x16\x03\x01" * 5000 + b"\r\n\r\n")

    assert oidc.active(secret(await by_browser(oidc, oidc.client(), first=nuisance)))


async def test_localhost_is_both_addresses_of_this_machine(oidc: Oidc) -> None:
    client = oidc.client().model_copy(update={"redirect": "http://localhost/callback"})
    assert oidc.active(secret(await by_browser(oidc, client)))


async def test_a_no_in_the_browser_is_a_no(oidc: Oidc) -> None:
    with pytest.raises(OAuthProblem) as caught:
        await by_browser(oidc, oidc.client(), yes=False)
    assert caught.value.why == "denied"


async def test_without_a_browser_here_the_address_can_be_pasted(oidc: Oidc) -> None:
    shown: list[str] = []
    typed = iter(["no address", "http://127.0.0.1/callback?code=1&state=wrong"])

    async def show(url: str) -> None:
        shown.append(url)

    async def pasted() -> str:
        if (line := next(typed, None)) is not None:
            return line
        return await asyncio.to_thread(oidc.authorize, shown[0], PERSON)

    tokens = await browser.log_in(Endpoint(oidc.client()), show, page="Finished.", pasted=pasted)
    assert oidc.active(secret(tokens))


async def test_a_browser_login_that_nobody_ends_runs_out(oidc: Oidc) -> None:
    async def show(url: str) -> None:
        pass

    with pytest.raises(OAuthProblem) as caught:
        await browser.log_in(Endpoint(oidc.client()), show, page="Finished.", within_s=0.2)
    assert caught.value.why == "expired"


# --- metadata, clients, revocation -----------------------------------------------------------------------------------


async def test_a_server_tells_its_endpoints(oidc: Oidc) -> None:
    found = await discover(oidc.issuer, CLIENT, SCOPES)
    assert found == oidc.client()
    with pytest.raises(OAuthProblem, match="oauth_odd"):
        await discover(f"{oidc.issuer}/other", CLIENT, SCOPES)
    with pytest.raises(OAuthProblem, match="oauth_odd"):
        await discover("http://somewhere.example", CLIENT, SCOPES)


async def test_a_client_that_is_not_known_is_said(oidc: Oidc) -> None:
    stranger = oidc.client().model_copy(update={"client_id": "stranger"})
    with pytest.raises(OAuthProblem) as caught:
        await Endpoint(stranger).device_code()
    assert caught.value.why == "client"


async def test_revocation_ends_access_and_refresh(oidc: Oidc) -> None:
    tokens = await by_device(oidc)
    assert await Endpoint(oidc.client()).revoke(tokens)
    assert not oidc.active(secret(tokens))
    with pytest.raises(OAuthProblem) as caught:
        await Endpoint(oidc.client()).refresh(tokens)
    assert caught.value.why == "login"
    assert not await Endpoint(oidc.client().model_copy(update={"revoke_url": ""})).revoke(tokens)


# --- what is kept ------------------------------------------------------------------------------------------------


class Told(list[tuple[str, str]]):
    """What the user was told."""

    async def __call__(self, account: str, problem: AccountError | None) -> None:
        self.append((account, problem.code if problem else "works"))


def kept(oidc: Oidc, tokens: Tokens | None, secrets: MemorySecrets, told: Told, folder: Path | None) -> KeptAccounts:
    account = Account(address=PERSON, auth="oauth", oauth=oidc.client())
    if tokens is not None:
        secrets.kept[secret_name("work")] = tokens.dump()
    return KeptAccounts({"work": account}, secrets, folder=folder, tell=told)


def stored(secrets: MemorySecrets) -> Tokens:
    found = Tokens.load(secrets.kept[secret_name("work")])
    assert found is not None
    return found


async def test_a_token_is_renewed_before_it_runs_out_and_the_new_refresh_token_is_kept(
    short: Oidc, tmp_path: Path
) -> None:
    secrets, told = MemorySecrets(), Told()
    tokens = await by_browser(short, short.client())
    accounts = kept(short, tokens, secrets, told, tmp_path)
    assert (await accounts.credential("work")).secret == tokens.access_token
    await asyncio.sleep(5)  # 6 s are its life, the last fifth does not count
    credential = await accounts.credential("work")
    assert short.active(credential.secret.get_secret_value())
    assert stored(secrets).access_token == credential.secret != tokens.access_token
    assert renewal(stored(secrets)) != renewal(tokens), "rotated"
    await asyncio.sleep(5)
    assert short.active((await accounts.credential("work")).secret.get_secret_value()), "and the rotated one works"
    assert told == []


async def test_ten_callers_at_once_renew_once(oidc: Oidc) -> None:
    secrets, told = MemorySecrets(), Told()
    tokens = await by_device(oidc)
    accounts = kept(oidc, tokens, secrets, told, None)
    refused = Credential(user=PERSON, kind="bearer", secret=tokens.access_token)
    before = [one.get("grant") for one in oidc.seen()].count("refresh_token")
    got = await asyncio.gather(*(accounts.credential("work", refused=refused) for _ in range(10)))
    assert len({one.secret.get_secret_value() for one in got}) == 1
    assert got[0].secret != tokens.access_token
    assert [one.get("grant") for one in oidc.seen()].count("refresh_token") == before + 1
    with pytest.raises(
        AccountError, match="token_refused"
    ):  # a new one that is refused as well is not the token's fault
        await accounts.credential("work", refused=got[0])


_OTHER = """
import asyncio, json, sys
from pathlib import Path
from assistant.accounts.keeper import KeptAccounts
from assistant.remote import Account, Credential
from assistant.safety.vault import Vault, key_source
from assistant.safety.secrets import SystemSecrets
folder, account, refused, tokens = Path(sys.argv[1]), Account.model_validate_json(sys.argv[2]), sys.argv[3], sys.argv[4]
file = folder / "vault.json"
secrets = SystemSecrets(vault=Vault(file, key_source(file, {})), service="t", marker=folder / "used")
if tokens:
    asyncio.run(secrets.put("account.work", tokens))
    sys.exit()
accounts = KeptAccounts({"work": account}, secrets, folder=folder)
got = asyncio.run(accounts.credential("work", refused=Credential(user=account.login, kind="bearer", secret=refused)))
print(got.secret.get_secret_value())
"""


async def test_three_processes_at_once_renew_once(oidc: Oidc, tmp_path: Path) -> None:
    tokens = await by_device(oidc)
    account = Account(address=PERSON, auth="oauth", oauth=oidc.client())
    before = [one.get("grant") for one in oidc.seen()].count("refresh_token")

    async def other(kept: str = "") -> str:
        words = [sys.executable, "-c", _OTHER, str(tmp_path), account.model_dump_json(), secret(tokens), kept]
        process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, cwd=ROOT)
        return (await process.communicate())[0].decode().strip()

    await other(tokens.dump())
    got = set(await asyncio.gather(*(other() for _ in range(3))))
    assert len(got) == 1
    assert oidc.active(got.pop())
    assert [one.get("grant") for one in oidc.seen()].count("refresh_token") == before + 1


async def test_a_revoked_permission_is_told_once_and_work_goes_on_after_a_new_login(oidc: Oidc, tmp_path: Path) -> None:
    secrets, told = MemorySecrets(), Told()
    tokens = await by_device(oidc)
    accounts = kept(oidc, tokens, secrets, told, tmp_path)
    oidc.revoke(renewal(tokens))
    refused = Credential(user=PERSON, kind="bearer", secret=tokens.access_token)
    asked = len(oidc.seen())
    for _ in range(3):
        with pytest.raises(AccountError, match="needs_login"):
            await accounts.credential("work", refused=refused)
    assert len(oidc.seen()) == asked + 1, "the server is not asked again and again"
    assert stored(secrets) == tokens, "nothing is lost"
    restarted = kept(oidc, None, secrets, told, tmp_path)
    with pytest.raises(AccountError, match="needs_login"):
        await restarted.credential("work", refused=refused)
    assert told == [("work", "accounts.needs_login")], "once, over restarts"
    anew = await by_device(oidc)
    await secrets.put(secret_name("work"), anew.dump())  # what `assistant account login` does
    assert (await accounts.credential("work", refused=refused)).secret == anew.access_token
    oidc.revoke(renewal(anew))
    with pytest.raises(AccountError):
        await accounts.credential("work", refused=Credential(user=PERSON, kind="bearer", secret=anew.access_token))
    words = [said for _, said in told]
    assert words == ["accounts.needs_login", "works", "accounts.needs_login"], "another permission, another notice"


async def test_a_store_that_is_full_loses_no_rotated_token(oidc: Oidc, tmp_path: Path) -> None:
    class Full(MemorySecrets):
        full = True

        async def put(self, name: str, value: str) -> None:
            if self.full:
                raise AssistantError("secrets.failed", problem="No space left on device")
            await super().put(name, value)

    secrets, told = Full(), Told()
    tokens = await by_device(oidc)
    accounts = kept(oidc, tokens, secrets, told, tmp_path)
    refused = Credential(user=PERSON, kind="bearer", secret=tokens.access_token)
    got = await accounts.credential("work", refused=refused)
    assert oidc.active(got.secret.get_secret_value())
    assert stored(secrets) == tokens
    assert (await accounts.credential("work")).secret == got.secret, "what is not on disk yet is used all the same"
    secrets.full = False
    await accounts.credential("work")
    assert stored(secrets).access_token == got.secret
    assert renewal(stored(secrets)) != renewal(tokens)


async def test_a_caller_that_is_cancelled_loses_no_rotated_token(oidc: Oidc, tmp_path: Path) -> None:
    secrets, told = MemorySecrets(), Told()
    tokens = await by_device(oidc)
    accounts = kept(oidc, tokens, secrets, told, tmp_path)
    refused = Credential(user=PERSON, kind="bearer", secret=tokens.access_token)
    caller = asyncio.create_task(accounts.credential("work", refused=refused))
    await asyncio.sleep(0.01)  # the refresh is on its way
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await accounts.aclose()
    assert renewal(stored(secrets)) != renewal(tokens)
    assert oidc.active(secret(stored(secrets)))


async def test_a_server_that_is_away_leaves_all_as_it_was(tmp_path: Path) -> None:
    with ExitStack() as stack:
        oidc = running(stack, Oidc, access_s=10)
        secrets, told = MemorySecrets(), Told()
        tokens = await by_device(oidc)
        accounts = kept(oidc, tokens, secrets, told, tmp_path)
        oidc.stop()
        early = tokens.model_copy(update={"expires_at": time.time() + 1.5})
        secrets.kept[secret_name("work")] = early.dump()
        assert (await accounts.credential("work")).secret == tokens.access_token, "it still counts"
        secrets.kept[secret_name("work")] = tokens.model_copy(update={"expires_at": time.time() - 1}).dump()
        with pytest.raises(OAuthProblem) as caught:
            await accounts.credential("work")
        assert (caught.value.why, caught.value.passing, told) == ("unreachable", True, [])


async def test_a_clock_that_is_wrong_costs_a_renewal_and_no_login(oidc: Oidc, tmp_path: Path) -> None:
    for now in (time.time() + 10 * 86400, time.time() - 10 * 86400):
        secrets, told = MemorySecrets(), Told()
        tokens = await by_device(oidc)
        kept(oidc, tokens, secrets, told, tmp_path)
        account = Account(address=PERSON, auth="oauth", oauth=oidc.client())
        accounts = KeptAccounts({"work": account}, secrets, folder=tmp_path, tell=told, now=lambda now=now: now)  # type: ignore[misc]
        got = await accounts.credential("work")
        assert oidc.active(got.secret.get_secret_value())
        assert (await accounts.credential("work")).secret == got.secret, "and not one at each call"
        assert told == []


async def test_the_notice_is_one_sentence_with_its_mend() -> None:
    from assistant.clock import FrozenClock
    from tests.support.context import NOW

    bus = EventBus()
    tell = teller(Announcer(bus, None), Catalogue(), "zh", FrozenClock(NOW))
    problem = AccountError("accounts.needs_login", account="work", host="op.example", words="invalid_grant")
    await tell("work", problem)
    await tell("work", problem)
    [event] = bus.kept
    assert isinstance(event, Noticed)
    assert "work" in event.notice.title
    assert "assistant account login work" in event.notice.body
    assert event.notice.urgent
    await tell("work", None)
    assert not bus.kept


async def test_an_expired_token_is_renewed_and_the_mailbox_opens(tmp_path: Path) -> None:
    """The whole way, over the clock: the mail server refuses the old token, and the new one opens."""
    with ExitStack() as stack:
        provider = running(stack, Oidc, access_s=5)
        mail = running(stack, MailServers, introspection=provider.introspection)
        person = mail.user()
        secrets, told = MemorySecrets(), Told()
        account = mail.account(person).model_copy(update={"auth": "oauth", "oauth": provider.client()})
        secrets.kept[secret_name("work")] = (await by_device(provider, person.address)).dump()
        accounts = KeptAccounts({"work": account}, secrets, folder=tmp_path, tell=told)
        credential = await accounts.credential("work")
        (await asyncio.to_thread(login.imap, account, credential, timeout=10)).logout()
        await asyncio.sleep(6)
        for refused in (
            partial(asyncio.to_thread, login.imap, account, credential, timeout=10),
            partial(login.smtp, account, credential),
        ):
            with pytest.raises(login.LoginProblem) as caught:
                await refused()
            assert caught.value.reason == "refused"
        renewed = await accounts.credential("work", refused=credential)
        (await asyncio.to_thread(login.imap, account, renewed, timeout=10)).logout()
        await (await login.smtp(account, renewed)).quit()
        assert told == []


async def test_no_log_holds_a_token(oidc: Oidc, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secrets, told = MemorySecrets(), Told()
    tokens = await by_device(oidc)
    accounts = kept(oidc, tokens, secrets, told, tmp_path)
    got = await accounts.credential("work", refused=Credential(user=PERSON, kind="bearer", secret=tokens.access_token))
    for one in (secret(tokens), renewal(tokens), got.secret.get_secret_value(), renewal(stored(secrets))):
        assert one not in caplog.text
        assert one not in repr(tokens) + repr(got) + repr(stored(secrets))


async def test_an_account_without_tokens_says_so(oidc: Oidc, tmp_path: Path) -> None:
    secrets = MemorySecrets({secret_name("work"): "a password"})
    with pytest.raises(NotConfigured, match="no_secret"):
        await kept(oidc, None, secrets, Told(), tmp_path).credential("work")


async def test_a_refused_password_is_told_once() -> None:
    secrets, told = MemorySecrets({secret_name("home"): "first"}), Told()
    accounts = KeptAccounts({"home": Account(address=PERSON)}, secrets, tell=told)
    first = await accounts.credential("home")
    for _ in range(3):
        with pytest.raises(AccountError, match="refused"):
            await accounts.credential("home", refused=first)
    assert told == [("home", "accounts.refused")]
    assert "first" not in secrets.kept[told_name("home")]
    secrets.kept[secret_name("home")] = "second"
    assert (await accounts.credential("home", refused=first)).secret.get_secret_value() == "second"
    await accounts.credential("home")
    assert told == [("home", "accounts.refused"), ("home", "works")]


# --- a server in trouble -------------------------------------------------------------------------------------------


@pytest.fixture
async def troubled() -> AsyncIterator[tuple[Endpoint, list[dict[str, Any] | int], list[float]]]:
    """A token endpoint that answers as it is told, and the waits between the questions."""
    answers: list[dict[str, Any] | int] = []
    waits: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        await reader.readexactly(length)
        said = answers.pop(0)
        status = said if isinstance(said, int) else 200 if "access_token" in said else 400
        body = json.dumps(said).encode() if isinstance(said, dict) else b"trouble"
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body))
        await writer.drain()
        writer.close()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token"
    yield Endpoint(OAuthClient(client_id="c", token_url=url), sleep=sleep), answers, waits
    server.close()
    await server.wait_closed()


async def test_slow_down_is_heeded(troubled: tuple[Endpoint, list[dict[str, Any] | int], list[float]]) -> None:
    endpoint, answers, waits = troubled
    answers += [{"error": "authorization_pending"}, {"error": "slow_down"}, {"error": "slow_down"}, 503]
    answers += [{"access_token": "the-token", "token_type": "bearer", "expires_in": "60"}]
    code = DeviceCode(device_code="d", user_code="u", verification_uri="https://x", expires_in=60)  # type: ignore[arg-type]
    assert secret(await endpoint.wait_for(code)) == "the-token"
    assert waits == [5, 5, 10, 15, 30]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"error": "invalid_grant", "error_description": "gone"}, "login"),
        ({"error": "invalid_client"}, "client"),
        ({"error": "temporarily_unavailable"}, "unreachable"),
        (502, "unreachable"),
        (429, "unreachable"),
        (404, "odd"),
        ({"access_token": "a-token", "token_type": "mac"}, "odd"),
        ({"access_token": 1}, "odd"),
    ],
)
async def test_a_refresh_that_fails_tells_whether_the_user_is_needed(
    troubled: tuple[Endpoint, list[dict[str, Any] | int], list[float]], answer: dict[str, Any] | int, why: str
) -> None:
    endpoint, answers, _ = troubled
    answers.append(answer)
    with pytest.raises(OAuthProblem) as caught:
        await endpoint.refresh(Tokens(access_token="a", refresh_token="r"))  # type: ignore[arg-type]
    assert caught.value.why == why


async def test_a_server_that_does_not_rotate_keeps_the_refresh_token_good(
    troubled: tuple[Endpoint, list[dict[str, Any] | int], list[float]],
) -> None:
    endpoint, answers, _ = troubled
    answers.append({"access_token": "new-token", "token_type": "Bearer"})
    new = await endpoint.refresh(Tokens(access_token="a", refresh_token="stays"))  # type: ignore[arg-type]
    assert (renewal(new), new.fresh(time.time() + 1e9)) == ("stays", True)

"""The only way out of the box: a skill's requests through the daemon's proxy, honest ones and tricks."""

from __future__ import annotations

import asyncio
import base64
import shutil
import socket
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import Rejected, SkillFailed
from assistant.sandbox.machine import Machine, look
from assistant.skillkit.permitted import kept_as
from tests.support.den import CATALOGUE, NAME, Den, ask, at_work
from tests.support.tls import Authority, authority, site

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="NO SERVER: bubblewrap is not installed"),
]
SECRET = "s3cr3t-hunter2"
GET = """
headers = {"Authorization": "Bearer {{secret:token}}"} if "secret" in what else {}
async with web_client(timeout=20) as web:
    answer = await web.get(what.split()[0], headers=headers)
return f"{answer.status_code} {answer.headers.get('x-echo')} {answer.text}"
"""
RAW = """
away = socket.socket(socket.AF_UNIX)
away.settimeout(20)
away.connect("/run/net/proxy.sock")
away.sendall(what.encode().decode("unicode_escape").encode("latin-1"))
said = b""
while block := away.recv(65536): said += block
return said.decode("latin-1")
"""


@pytest.fixture
def den(tmp_path: Path) -> Iterator[Den]:
    home = Den(tmp_path / "home")
    yield home
    home.close()


@pytest.fixture
def trusted(tmp_path: Path) -> Authority:
    return authority(tmp_path)


def may(*places: str, secrets: tuple[str, ...] = (), files: tuple[str, ...] = ()) -> str:
    return str({"network": list(places), "secrets": list(secrets), "files": list(files)})


def network(den: Den) -> list[dict[str, Any]]:
    return [one for one in den.ledger.written if one["kind"] == "skill_network"]


async def test_a_declared_host_is_reached_with_a_secret_that_the_skill_never_has(den: Den, trusted: Authority) -> None:
    den.ledger.secrets = {kept_as(NAME, "token"): SECRET}
    async with site(trusted.server()) as server:
        place = f"localhost:{server.port}"
        den.write(GET, may(place, secrets=("token@localhost",)))
        async with at_work(den, trust=trusted.client) as skills:
            said = await ask(skills, what=f"https://{place}/v1?q=1 with the secret")
        assert f"authorization: Bearer {SECRET}" in server.asked[0]
        assert server.asked[0].startswith("GET /v1?q=1 HTTP/1.1\r\n")
    assert said.startswith("200 ")
    assert "{{secret:token}}" in said
    for form in (SECRET, base64.b64encode(SECRET.encode()).decode().rstrip("="), SECRET[::-1], SECRET.encode().hex()):
        assert form not in said
    [reached] = network(den)
    assert (reached["place"], reached["refused"], reached["connections"]) == (place, "", 1)
    assert reached["sent"] > 50
    assert reached["received"] > 50


@pytest.mark.parametrize("disguise", ["plain", "base64", "reversed", "hex"])
async def test_an_answer_that_repeats_the_secret_is_handed_on_without_it(
    den: Den, trusted: Authority, disguise: str
) -> None:
    den.ledger.secrets = {kept_as(NAME, "token"): SECRET}
    forms = {
        "plain": SECRET,
        "base64": base64.b64encode(SECRET.encode()).decode(),
        "reversed": SECRET[::-1],
        "hex": SECRET.encode().hex(),
    }
    async with site(trusted.server(), answer=f"<{forms[disguise]}>") as server:
        den.write(GET, may(f"localhost:{server.port}", secrets=("token@localhost",)))
        async with at_work(den, trust=trusted.client) as skills:
            said = await ask(skills, what=f"https://localhost:{server.port}/ secret")
    assert "{{secret:token}}" in said
    assert forms[disguise].rstrip("=") not in said


@pytest.mark.parametrize(
    ("url", "secrets", "kept", "reason"),
    [
        ("http://localhost:{plain}/ secret", ("token@localhost",), True, "secret_needs_tls"),
        ("https://localhost:{tls}/ secret", ("token@example.org",), True, "secret_host"),
        ("https://localhost:{tls}/ secret", ("other@localhost",), True, "secret_host"),
        ("https://localhost:{tls}/ secret", ("token@localhost",), False, "secret_missing"),
        ("https://localhost:{other}/", (), True, "not_declared"),
        ("http://127.0.0.1:{plain}/", (), True, "not_declared"),
        ("http://example.com/", (), True, "not_declared"),
        ("https://localhost:{plain}/", (), True, "untrusted"),
        ("http://localhost:{closed}/", (), True, "unreachable"),
    ],
)
async def test_what_may_not_be_is_refused_and_said_with_a_mend(
    den: Den, trusted: Authority, url: str, secrets: tuple[str, ...], kept: bool, reason: str
) -> None:
    den.ledger.secrets = {kept_as(NAME, "token"): SECRET} if kept else {}
    (den.home / "elsewhere").mkdir()
    stranger = authority(den.home / "elsewhere")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        ports = {"closed": closed.getsockname()[1]}
    async with site(trusted.server()) as tls, site(stranger.server()) as plain, site() as other:
        ports |= {"tls": tls.port, "plain": plain.port, "other": other.port}
        places = (f"localhost:{tls.port}", f"localhost:{plain.port}", f"localhost:{ports['closed']}", "example.org:443")
        den.write(GET, may(*places, secrets=secrets))
        async with at_work(den, trust=trusted.client) as skills:
            with pytest.raises(Rejected) as refused:
                await ask(skills, what=url.format(**ports))
        assert not any(SECRET in asked for one in (tls, plain, other) for asked in one.asked)
        assert other.asked == []
    message, mend = CATALOGUE.explain(refused.value, "en")
    assert message
    assert mend
    assert SECRET not in message + mend
    assert [one["refused"] for one in network(den)] == [reason]


async def test_a_redirect_into_the_users_own_machine_is_not_followed(den: Den) -> None:
    async with site() as inner:
        head = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inner.port}/admin\r\n"
        async with site(head=head) as outer:
            den.write(GET.replace("timeout=20", "timeout=20, follow_redirects=True"), may(f"localhost:{outer.port}"))
            async with at_work(den) as skills:
                with pytest.raises(Rejected):
                    await ask(skills, what=f"http://localhost:{outer.port}/")
            assert len(outer.asked) == 1
        assert inner.asked == []
    assert sorted(one["refused"] for one in network(den)) == ["", "not_declared"]


async def test_a_public_name_that_leads_into_the_own_network_is_refused(
    den: Den, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: whoever holds a declared name points it at this machine, or at the router."""
    loop, answers = (
        asyncio.get_running_loop(),
        ["127.0.0.1", "10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "0.0.0.0"],
    )
    real = loop.getaddrinfo

    async def lying(host: Any, port: Any, **more: Any) -> Any:
        if host != "api.example.org":
            return await real(host, port, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[0], port))]

    monkeypatch.setattr(loop, "getaddrinfo", lying)
    async with site() as inner:
        den.write(GET, may(f"api.example.org:{inner.port}"))
        async with at_work(den) as skills:
            while answers:
                with pytest.raises(Rejected):
                    await ask(skills, what=f"http://api.example.org:{inner.port}/")
                answers.pop(0)
        assert inner.asked == []
    assert [(one["refused"], one["connections"]) for one in network(den)] == [("private_address", 5)]


# {v}: the rest of the line and the beginning of the next one; {e}: the end of the head
TRICKS = [
    "CONNECT 127.0.0.1:{inner} {v}localhost:{outer}{e}",
    "CONNECT localhost:{inner} {v}localhost:{outer}{e}",
    "CONNECT localhost:{outer}@127.0.0.1:{inner} {v}x{e}",
    "CONNECT localhost:{outer}:{inner} {v}x{e}",
    "CONNECT [::1]:{inner} {v}x{e}",
    "CONNECT [::ffff:127.0.0.1]:{inner} {v}x{e}",
    "CONNECT 2130706433:{inner} {v}x{e}",
    "CONNECT 0x7f.1:{inner} {v}x{e}",
    "CONNECT localhost.:{inner} {v}x{e}",
    "CONNECT localhost {v}localhost:{inner}{e}",
    "GET http://localhost:{outer}@127.0.0.1:{inner}/ {v}localhost:{outer}{e}",
    "GET http://127.0.0.1:{inner}#@localhost:{outer}/ {v}localhost:{outer}{e}",
    "GET http://127.0.0.1:{inner}\\\\@localhost:{outer}/ {v}localhost:{outer}{e}",
    "GET http://127.0.0.1:{inner}/ {v}localhost:{outer}{e}",
    "GET / {v}127.0.0.1:{inner}{e}",
    "GET //127.0.0.1:{inner}/ {v}localhost:{outer}{e}",
    "GET ftp://127.0.0.1:{inner}/ {v}localhost:{outer}{e}",
    "GET file:///etc/passwd {v}localhost:{outer}{e}",
    "GET http://localhost:{outer}/ {v}127.0.0.1:{inner}\\r\\nHost: b{e}",
    "GET http://localhost:{outer}/ {v}a\\r\\nContent-Length: 4\\r\\nTransfer-Encoding: chunked{e}"
    "0{e}GET http://127.0.0.1:{inner}/ {v}a{e}",
    "GET http://localhost:{outer}/ {v}a{e}GET http://127.0.0.1:{inner}/ {v}a{e}",
    "\\x16\\x03\\x01\\x00\\x05hello{e}",
]


async def test_no_trick_with_the_proxys_protocol_reaches_an_undeclared_place(den: Den) -> None:
    words = {"v": "HTTP/1.1\\r\\nHost: ", "e": "\\r\\n\\r\\n"}
    async with site() as inner, site() as outer:
        den.write(RAW, may(f"localhost:{outer.port}"))
        async with at_work(den) as skills:
            for trick in TRICKS:
                said = await ask(skills, what=trick.format(**words, inner=inner.port, outer=outer.port))
                assert "root:" not in said
            honest = "GET http://localhost:{outer}/ok {v}127.0.0.1:{inner}{e}"
            assert "GET /ok" in await ask(skills, what=honest.format(**words, inner=inner.port, outer=outer.port))
        assert inner.asked == []
        assert all(f"host: localhost:{outer.port}" in one.lower() for one in outer.asked)


async def test_libraries_that_know_proxies_get_through_to_declared_hosts_alone(den: Den, trusted: Authority) -> None:
    deed = """
    import httpx, ssl
    async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=DEN["shared"])) as web:
        first = (await web.get(what)).text
        try: await web.get("http://127.0.0.1:9/")
        except httpx.HTTPError as error: return first + repr(error)
        return first + str((await web.get("http://127.0.0.1:9/")).headers)
    """
    den.names["shared"] = str(den.home.parent / "shared" / "ca.pem")
    Path(den.names["shared"]).parent.mkdir()
    shutil.copyfile(trusted.file, den.names["shared"])
    async with site(trusted.server(), answer="through") as server:
        den.write(textwrap.dedent(deed), may(f"localhost:{server.port}", files=(str(den.home.parent / "shared"),)))
        async with at_work(den, trust=trusted.client) as skills:
            said = await ask(skills, what=f"https://localhost:{server.port}/")
    assert said.startswith("through")
    assert "not_declared" in said
    assert {(one["place"], one["refused"]) for one in network(den)} == {
        (f"localhost:{server.port}", ""),
        ("127.0.0.1:9", "not_declared"),
    }


async def test_a_host_in_the_users_settings_is_reached_where_the_manifest_says_any(den: Den) -> None:
    async with site(answer="mine") as server:
        den.write(GET, may(f"*:{server.port}"))
        async with at_work(den, server="127.0.0.1") as skills:
            assert "mine" in await ask(skills, what=f"http://127.0.0.1:{server.port}/")
            with pytest.raises(Rejected):
                await ask(skills, what=f"http://localhost:{server.port}/")


@pytest.mark.parametrize("fenced", [True, False])
async def test_a_skill_without_network_has_none_and_says_so(den: Den, fenced: bool) -> None:
    here = look()
    async with site() as server:
        den.write(GET, may(f"localhost:{server.port}") if fenced else "{}")
        machine = Machine(landlock=here.landlock, seccomp=here.seccomp) if fenced else here
        async with at_work(den, machine) as skills:
            with pytest.raises(SkillFailed) as refused:
                await ask(skills, what=f"http://localhost:{server.port}/")
        assert server.asked == []
    assert "no network" in CATALOGUE.explain(refused.value, "en")[0]


async def test_a_skill_that_knocks_without_end_neither_stops_the_daemon_nor_fills_the_audit(den: Den) -> None:
    deed = """
    async def knock(n):
        try: reader, writer = await asyncio.open_unix_connection("/run/net/proxy.sock")
        except OSError: return
        writer.write(b"CONNECT host%d.example:443 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" % n)
        try: await reader.read()
        except OSError: pass
        writer.close()
    for _ in range(20): await asyncio.gather(*(knock(n) for n in range(40)))
    return "done"
    """
    den.write(textwrap.dedent(deed), may("localhost:443"))
    async with at_work(den) as skills:
        assert await ask(skills) == "done"
    assert sum(one["connections"] for one in network(den)) >= 400
    assert len(network(den)) <= 160


async def test_an_honest_skill_does_all_that_it_was_given(den: Den, trusted: Authority) -> None:
    """Reads its declared folder, writes to another, asks its host with a secret, keeps a file, and finds it again."""
    shared = den.home.parent / "shared"
    shared.mkdir()
    (shared / "a.txt").write_text("from the user", encoding="utf-8")
    out = den.home.parent / "out"
    deed = """
    import json
    kept = ctx.folder / "notes" / "kept.json"
    before = json.loads(kept.read_text()) if kept.exists() else None
    kept.parent.mkdir(exist_ok=True)
    kept.with_suffix(".tmp").write_text(json.dumps({"n": 1}))
    kept.with_suffix(".tmp").replace(kept)
    async with web_client() as web:
        answer = await web.post(what, headers={"X-Key": "{{secret:token}}"}, json={"hello": "你好"})
    text = (ctx.settings["shared"] / "a.txt").read_text()
    Path(DEN["out"], "report.txt").write_text(text.upper())
    sums = await asyncio.gather(*(asyncio.to_thread(sum, range(n)) for n in (10, 100)))
    try: (ctx.settings["shared"] / "b.txt").write_text("x")
    except OSError as error: refused = type(error).__name__
    return before, answer.status_code, text, sums, refused
    """
    den.names["out"] = str(out)
    den.ledger.secrets = {kept_as(NAME, "token"): SECRET}
    async with site(trusted.server()) as server:
        place = f"localhost:{server.port}"
        den.write(textwrap.dedent(deed), may(place, secrets=("token@localhost",), files=("{shared}", f"rw:{out}")))
        answers = []
        for _ in range(2):
            async with at_work(den, trust=trusted.client, shared=str(shared)) as skills:
                answers.append(await ask(skills, what=f"https://{place}/notes"))
        assert f"x-key: {SECRET}" in server.asked[0]
        assert '{"hello":"你好"}'.encode().decode("latin-1") in server.asked[0]
    assert answers[0].startswith("(None, 200, 'from the user', [45, 4950], ")
    assert answers[1].startswith("({'n': 1}, 200, 'from the user', [45, 4950], ")
    assert "OSError" in answers[0] or "PermissionError" in answers[0]
    assert (out / "report.txt").read_text() == "FROM THE USER"
    assert not (shared / "b.txt").exists()

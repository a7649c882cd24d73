"""A copy of a calendar and its server, with everything in between going wrong: nothing lost, doubled or stuck.

Cuts after N bytes each way, kill -9 at every file, commit and request, answers that refuse, tokens that ran out.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from assistant.dav import folder as files
from assistant.dav.engine import Engine
from assistant.dav.lines import same
from assistant.dav.state import State
from assistant.dav.web import Trouble, Web
from tests.support.cutting import Line
from tests.support.davs import Machine, Others, event, uid_of
from tests.support.front import Front, Said, Seen
from tests.support.servers.dav import Radicale, Xandikos

_serial = count(1)
STRIDE = int(os.environ.get("DAV_STRIDE", "613"))
"""Every so many bytes a cut is tried; 1 tries them all."""

KILL_STRIDE = int(os.environ.get("DAV_KILL_STRIDE", "2"))
"""Every so many steps a kill is tried."""


class Case:
    """A machine, its calendar, and another device on it."""

    def __init__(self, server: Radicale | Xandikos, folder: Path, port: int | None = None) -> None:
        user = server.user()
        self.url = server.calendar(user, f"cal{next(_serial)}")
        self.others = Others(server.client(user), self.url)
        place = urlsplit(self.url)
        through = self.url if port is None else f"http://127.0.0.1:{port}{place.path}"
        account = server.account(user).model_copy(update={"caldav": through, "carddav": ""})
        self.machine = Machine(folder, account, user.password)

    def in_step(self) -> bool:
        """Whether both sides hold the same."""
        here, there = self.machine.files(), self.others.texts()
        return here.keys() == there.keys() and all(same(here[uid], there[uid].encode()) for uid in here)

    def until_quiet(self) -> None:
        """Rounds until nothing changes any more: three are enough for anything that isn't stuck."""
        for _ in range(4):
            if self.machine.sync() == 0:
                return
        raise AssertionError("it never comes to rest")


def begin(case: Case) -> None:
    """Five events on both sides."""
    for name in "abcde":
        case.others.put(f"{name}.ics", event(f"{name}@x", f"Title {name}"))
    case.until_quiet()


def change_both(case: Case) -> dict[str, str]:
    """Changes of every kind on both sides; the titles that must come out of it."""
    machine = case.machine
    folder = machine.collection()
    (folder / "new.ics").write_bytes(event("new@x", "Made here"))
    for uid, old, new in (("a@x", b"Title a", b"Changed here a"), ("b@x", b"Title b", b"Joined b")):
        file = machine.file(uid)
        file.write_bytes(file.read_bytes().replace(old, new))
    machine.file("c@x").unlink()
    case.others.change("b@x", "END:VEVENT", "LOCATION:There\r\nEND:VEVENT")
    case.others.change("d@x", "Title d", "Changed there d")
    case.others.delete("e@x")
    case.others.put("f.ics", event("f@x", "Made there"))
    return {
        "new@x": "Made here",
        "a@x": "Changed here a",
        "b@x": "Joined b",
        "d@x": "Changed there d",
        "f@x": "Made there",
    }


def check(case: Case, wanted: dict[str, str]) -> None:
    texts = case.others.texts()
    assert {uid: text.partition("SUMMARY:")[2].partition("\r\n")[0].rstrip() for uid, text in texts.items()} == wanted
    assert "LOCATION:There" in texts["b@x"]
    assert case.in_step()
    assert case.machine.conflicts() == []


@pytest.fixture(params=["radicale", "xandikos"])
def server(request: pytest.FixtureRequest) -> Radicale | Xandikos:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.mark.timeout(900)  # a sweep
def test_a_line_that_is_cut_anywhere_loses_and_doubles_nothing(radicale: Radicale, tmp_path: Path) -> None:
    with Line(radicale.port) as line:
        probe = Case(radicale, tmp_path / "probe", line.port)
        begin(probe)
        wanted = change_both(probe)
        before = line.up, line.down
        probe.machine.sync()
        sizes = {"up": line.up - before[0], "down": line.down - before[1]}
        check(probe, wanted)
        tried = 0
        for way, size in sizes.items():
            for after in range(0, size, STRIDE):
                case = Case(radicale, tmp_path / f"{way}{after}", line.port)
                begin(case)
                wanted = change_both(case)
                line.cut_after(after, way, reset=bool(tried % 2))  # type: ignore[arg-type]
                with contextlib.suppress(Trouble):
                    case.machine.sync()
                line.heal()
                if tried % 3 == 0:
                    case.machine.restart()
                case.until_quiet()
                check(case, wanted)
                case.machine.restart()
                tried += 1
    assert tried >= 10


def _dying(machine: Machine, at: int, counter: Any) -> None:
    """A round that dies at the `at`-th file, commit, request or answer."""

    def tick() -> None:
        counter.value += 1
        if counter.value == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **named: Any) -> Any:
            tick()
            result = function(*args, **named)
            tick()
            return result

        return wrapped

    for owner, name in ((files, "place"), (files, "take_away"), (State, "put"), (State, "keep"), (State, "forget")):
        setattr(owner, name, around(getattr(owner, name)))
    State.set_token = around(State.set_token)  # type: ignore[method-assign]
    once = Web._once

    async def counted(self: Web, *args: Any) -> Any:
        tick()
        answer = await once(self, *args)
        tick()
        return answer

    Web._once = counted  # type: ignore[method-assign]
    machine.sync()


@pytest.mark.timeout(900)  # a sweep
def test_kill_9_at_every_step_loses_and_doubles_nothing(radicale: Radicale, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    killed = 0
    for at in range(1, 500, KILL_STRIDE):
        case = Case(radicale, tmp_path / str(at))
        begin(case)
        wanted = change_both(case)
        case.machine.restart()
        counter = context.Value("i", 0)
        child = context.Process(target=_dying, args=(case.machine, at, counter))
        child.start()
        child.join()
        case.machine.restart()
        case.until_quiet()
        check(case, wanted)
        case.machine.restart()
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        killed += 1
    assert killed * KILL_STRIDE >= 40  # else the steps are not counted


@pytest.fixture
def fronted(radicale: Radicale, tmp_path: Path) -> Iterator[tuple[Case, Front]]:
    with Front(radicale.port) as front:
        case = Case(radicale, tmp_path, front.port)
        begin(case)
        yield case, front


def write_here(case: Case, uid: str = "a@x", title: str = "Changed here") -> None:
    file = case.machine.file(uid)
    file.write_bytes(file.read_bytes().replace(b"Title " + uid[:1].encode(), title.encode()))


def test_another_device_that_writes_in_the_same_moment_is_not_overwritten(fronted: tuple[Case, Front]) -> None:
    case, front = fronted
    (case.machine.collection() / "n.ics").write_bytes(event("n", "Ours"))
    write_here(case)
    case.machine.file("b@x").unlink()
    urls = {uid: url for uid, (url, _) in case.others.items().items()}

    def between(seen: Seen) -> None:
        """What the other device writes once our request is on its way: the request names what it must not overwrite."""
        if seen.method not in ("PUT", "DELETE") or seen.path in raced:
            return
        raced.add(seen.path)
        uid = next((uid for uid, url in urls.items() if url.endswith(seen.path)), "n")
        case.others.put(seen.path, event(uid, f"Theirs {uid}"))

    raced: set[str] = set()
    front.before = between
    case.until_quiet()
    assert len(raced) == 3
    there = case.others.texts()
    assert "Theirs b@x" in there["b@x"]
    for uid in ("n", "a@x"):
        [kept] = [one for one in case.machine.conflicts() if one.ours and uid_of(one.ours) == uid]
        assert f"Theirs {uid}" in there[uid]
        assert b"SUMMARY:Theirs" not in (kept.ours or b"")
    assert case.in_step()


def test_a_server_without_room_is_asked_again_later(fronted: tuple[Case, Front]) -> None:
    case, front = fronted
    write_here(case)
    front.before = lambda seen: Said(507) if seen.method == "PUT" else None
    with pytest.raises(Trouble, match="full"):
        case.machine.sync()
    assert case.others.texts()["a@x"].count("Title a") == 1
    front.before = lambda _: None
    case.until_quiet()
    assert "Changed here" in case.others.texts()["a@x"]
    assert case.machine.conflicts() == []


def test_an_answer_that_asks_for_time_is_heeded(fronted: tuple[Case, Front]) -> None:
    case, front = fronted
    front.before = lambda _: Said(429, {"Retry-After": "120"})
    with pytest.raises(Trouble) as caught:
        case.machine.sync()
    assert (caught.value.code, caught.value.wait_s) == ("throttled", 120.0)
    front.before = lambda _: Said(
        503, {"Retry-After": "Mon, 23 Nov 2026 10:05:00 GMT", "Date": "Mon, 23 Nov 2026 10:00:00 GMT"}
    )
    with pytest.raises(Trouble) as caught:
        case.machine.sync()
    assert caught.value.wait_s == 300.0


def test_a_token_that_ran_out_means_looking_at_everything(server: Radicale | Xandikos, tmp_path: Path) -> None:
    case = Case(server, tmp_path)
    begin(case)
    folder = case.machine.collection().name
    case.machine.engine("events").state.set_token(folder, "http://radicale.org/ns/sync/" + "0" * 64)
    case.others.delete("e@x")
    case.others.change("a@x", "Title a", "Changed there")
    write_here(case, "b@x")
    case.until_quiet()
    assert case.in_step()
    assert sorted(case.machine.files()) == ["a@x", "b@x", "c@x", "d@x"]
    assert case.machine.conflicts() == []


def test_what_came_and_went_between_two_rounds_is_noticed(server: Radicale | Xandikos, tmp_path: Path) -> None:
    case = Case(server, tmp_path)
    begin(case)
    was = case.others.items()["b@x"]
    (case.machine.collection() / "new.ics").write_bytes(event("new@x", "Made here"))
    case.machine.file("b@x").unlink()
    write_here(case)
    before = case.others.items()["a@x"]
    case.machine.sync()
    case.others.delete("new@x")
    case.others.put(was[0], was[1].encode())
    case.others.put(before[0], before[1].encode())
    case.until_quiet()
    assert case.in_step()
    assert sorted(case.machine.files()) == ["a@x", "b@x", "c@x", "d@x", "e@x"]
    assert b"Title a" in case.machine.files()["a@x"]


@pytest.mark.parametrize("status", [403, 409, 507, 405, 501])
def test_servers_that_can_not_tell_what_changed_are_listed(fronted: tuple[Case, Front], status: int) -> None:
    case, front = fronted
    front.before = lambda seen: Said(status) if b"sync-collection" in seen.body else None
    case.others.delete("e@x")
    case.others.change("a@x", "Title a", "Changed there")
    write_here(case, "b@x")
    if status in (403, 409):  # with a token: it may have run out; without one it is a refusal
        front.before = lambda seen: Said(status) if b"<d:sync-token>h" in seen.body else None
    case.until_quiet()
    assert case.in_step()
    assert "e@x" not in case.machine.files()


def test_servers_without_etags_overwrite_nothing(fronted: tuple[Case, Front]) -> None:
    case, front = fronted

    def without(seen: Seen) -> Said | None:
        assert seen.answer is not None
        kept = {name: value for name, value in seen.answer.headers.items() if name.lower() != "etag"}
        body = seen.answer.body.replace(b"getetag>", b"getnothing>")
        return Said(seen.answer.status, kept, body)

    front.after = without
    case.machine.engine("events").state.forget_items(case.machine.collection().name)
    case.until_quiet()
    write_here(case)
    original = Engine._pull

    async def pulled_then_changed(self: Engine, *args: Any) -> int:
        done = await original(self, *args)
        if "There" not in case.others.texts()["a@x"]:
            case.others.change("a@x", "END:VEVENT", "LOCATION:There\r\nEND:VEVENT")
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "_pull", pulled_then_changed)  # the moment between looking and writing
        case.machine.sync()
    case.until_quiet()
    text = case.others.texts()["a@x"]
    assert "LOCATION:There" in text
    assert "Changed here" in text


def test_a_change_in_the_moment_before_ours_is_joined(fronted: tuple[Case, Front]) -> None:
    case, front = fronted
    write_here(case)

    def meanwhile(seen: Seen) -> None:
        if seen.method == "PUT" and "LOCATION" not in case.others.texts()["a@x"]:
            case.others.change("a@x", "END:VEVENT", "LOCATION:There\r\nEND:VEVENT")

    front.before = meanwhile  # type: ignore[assignment]
    case.until_quiet()
    assert [seen.headers.get("If-Match") for seen in front.seen if seen.method == "PUT"].count(None) == 0
    text = case.others.texts()["a@x"]
    assert "LOCATION:There" in text
    assert "Changed here" in text
    assert case.machine.conflicts() == []


def test_both_versions_are_kept_and_told_once(fronted: tuple[Case, Front]) -> None:
    case, _ = fronted
    write_here(case, title="Mine")
    case.others.change("a@x", "Title a", "Theirs")
    case.until_quiet()
    (kept,) = case.machine.conflicts()
    assert kept.reason == "both_changed"
    assert kept.ours is not None
    assert b"Mine" in kept.ours
    assert kept.theirs is not None
    assert b"Theirs" in kept.theirs
    assert b"Theirs" in case.machine.files()["a@x"]
    case.machine.sync()
    (notice,) = case.machine.notices
    assert "“Mine”" in notice.body
    assert "assistant account conflicts work" in notice.body


def test_deleted_here_and_changed_there_stays(fronted: tuple[Case, Front]) -> None:
    case, _ = fronted
    case.machine.file("a@x").unlink()
    case.others.change("a@x", "Title a", "Theirs")
    case.until_quiet()
    assert b"Theirs" in case.machine.files()["a@x"]
    assert "Theirs" in case.others.texts()["a@x"]
    assert [one.reason for one in case.machine.conflicts()] == ["deleted_here"]


def test_changed_here_and_deleted_there_stays(fronted: tuple[Case, Front]) -> None:
    case, _ = fronted
    write_here(case, title="Mine")
    case.others.delete("a@x")
    case.until_quiet()
    assert b"Mine" in case.machine.files()["a@x"]
    assert "Mine" in case.others.texts()["a@x"]
    assert [one.reason for one in case.machine.conflicts()] == ["deleted_there"]


@pytest.mark.parametrize("status", [403, 405])
def test_what_may_not_be_changed_comes_back_and_ours_is_kept(fronted: tuple[Case, Front], status: int) -> None:
    case, front = fronted
    write_here(case, title="Mine")
    case.machine.file("b@x").unlink()
    (case.machine.collection() / "new.ics").write_bytes(event("new@x", "Made here"))
    front.before = lambda seen: Said(status) if seen.method in ("PUT", "DELETE") else None
    case.until_quiet()
    assert case.in_step()
    assert b"Title a" in case.machine.files()["a@x"]
    kept = {one.uid: one for one in case.machine.conflicts()}
    assert {one.reason for one in kept.values()} == {"read_only"}
    assert kept.keys() == {"a@x", "b@x", "new@x"}
    assert b"Made here" in (kept["new@x"].ours or b"")


def test_what_the_server_does_not_take_is_offered_once(fronted: tuple[Case, Front]) -> None:
    case, front = fronted
    write_here(case, title="Mine")
    front.before = lambda seen: Said(415) if seen.method == "PUT" else None
    case.until_quiet()
    case.machine.sync()
    assert sum(seen.method == "PUT" for seen in front.seen) == 1
    assert [one.reason for one in case.machine.conflicts()] == ["refused"]
    assert b"Mine" in case.machine.files()["a@x"]


def test_a_refused_login_is_shown_to_the_server_once(fronted: tuple[Case, Front]) -> None:
    case, front = fronted
    front.seen.clear()
    case.machine.accounts.password = "wrong"
    for _ in range(3):
        with pytest.raises(Trouble, match="needs_login"):
            case.machine.sync()
    assert len(front.seen) == 1
    case.machine.accounts.password = f"{case.machine.accounts.account.user}-dav-pw"
    case.machine.sync()


def test_the_login_stays_with_the_accounts_own_servers(fronted: tuple[Case, Front]) -> None:
    case, front = fronted
    for target, code in (("https://evil.example/x/", "elsewhere"), ("http://evil.example/x/", "not_encrypted")):
        front.before = lambda _, target=target: Said(301, {"Location": target})  # type: ignore[misc]
        with pytest.raises(Trouble) as caught:
            case.machine.sync()
        assert caught.value.code == code


@pytest.mark.parametrize(
    "body",
    [
        b"<multistatus",
        b'<!DOCTYPE x [<!ENTITY a "b">]><multistatus xmlns="DAV:">&a;</multistatus>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><multistatus xmlns="DAV:"/>',
        b"<html/>",
    ],
)
def test_odd_xml_is_a_trouble_and_no_crash(fronted: tuple[Case, Front], body: bytes) -> None:
    case, front = fronted
    front.before = lambda seen: Said(207, {}, body) if seen.method in ("PROPFIND", "REPORT") else None
    with pytest.raises(Trouble, match="not_webdav"):
        case.machine.sync()
    front.before = lambda _: None
    case.until_quiet()
    assert case.in_step()


def test_a_collection_that_says_nothing_is_left_does_not_empty_the_disk(fronted: tuple[Case, Front]) -> None:
    case, _ = fronted
    for name in "gh":
        case.others.put(f"{name}.ics", event(f"{name}@x", f"Title {name}"))
    case.until_quiet()
    for uid in list(case.others.texts()):
        case.others.delete(uid)
    case.until_quiet()
    assert case.machine.files() == {}
    (aside,) = (case.machine.collection().parent / ".removed").iterdir()
    assert len(list(aside.glob("*.ics"))) == 7


def test_a_folder_that_is_emptied_here_does_not_empty_the_server(fronted: tuple[Case, Front]) -> None:
    case, _ = fronted
    case.others.put("g.ics", event("g@x", "Title g"))
    case.until_quiet()
    for file in case.machine.collection().glob("*.ics"):
        file.unlink()
    case.until_quiet()
    assert len(case.others.texts()) == 6
    assert case.in_step()
    assert [one.title for one in case.machine.notices] == [
        f"work/{case.machine.collection().name}: 6 entries were put back"
    ]


def test_a_lost_folder_and_a_lost_memory_are_fetched_again(fronted: tuple[Case, Front]) -> None:
    case, _ = fronted
    folder = case.machine.collection()
    folder.rename(folder.with_name(".gone"))
    case.until_quiet()
    assert case.in_step()
    case.machine.restart()
    (folder.parent / "sync.db").write_bytes(b"\0" * 8192)
    for leftover in folder.parent.glob("sync.db-*"):
        leftover.unlink()
    case.until_quiet()
    assert case.in_step()
    assert len(case.others.texts()) == 5
    assert case.machine.conflicts() == []


def test_a_file_that_a_crash_of_the_machine_emptied_is_put_back(fronted: tuple[Case, Front]) -> None:
    case, _ = fronted
    first, second = case.machine.file("a@x"), case.machine.file("b@x")
    first.write_bytes(b"")
    second.write_bytes(b"BEGIN:VCALENDAR\r\nhalf")
    with pytest.raises(AssertionError):
        case.machine.files()
    case.machine.sync()
    assert "Title b" in case.others.texts()["b@x"]
    assert sum(b"Title a" in one.read_bytes() for one in case.machine.collection().glob("*.ics")) == 1


def test_a_file_that_gets_another_name_is_no_new_event(fronted: tuple[Case, Front]) -> None:
    case, front = fronted
    front.seen.clear()
    file = case.machine.file("a@x")
    file.rename(file.with_name("renamed.ics"))
    case.until_quiet()
    assert not [seen for seen in front.seen if seen.method in ("PUT", "DELETE")]


def test_a_server_that_restarts_is_found_again(tmp_path: Path) -> None:
    with Radicale() as own:
        case = Case(own, tmp_path)
        begin(case)
        wanted = change_both(case)
        own.stop()
        with pytest.raises(Trouble, match="unreachable"):
            case.machine.sync()
        own.start()
        case.until_quiet()
        check(case, wanted)


def test_names_from_the_server_never_lead_out_of_the_folder(radicale: Radicale, tmp_path: Path) -> None:
    user = radicale.user()
    radicale.calendar(user, f"cal{next(_serial)}", title="../../../etc/\u202ecron.d")
    machine = Machine(tmp_path, radicale.account(user), user.password)
    machine.sync()
    assert machine.collection().parent == tmp_path / "skill-data" / "calendar" / "accounts" / "work"
    assert machine.collection().name == "etc-cron.d"

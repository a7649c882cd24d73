"""One suite for every place that contacts are kept in: a folder of vCards, CardDAV on Radicale, on Xandikos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from assistant.memory.contacts import ContactsFolder
from assistant.resources import bundled
from assistant.skillkit import Context, NotFound, Result
from assistant.skillkit import testing as skills
from tests.support.davs import NOW, Machine, Others, card, uid_of
from tests.support.servers.dav import Radicale, Xandikos

SKILL = bundled("skills") / "contacts"
_serial = count(1)


@dataclass
class Store:
    """A place for contacts, used through the tools, and seen by others."""

    ctx: Context
    settle: Callable[[], object]
    texts: Callable[[], dict[str, str]]
    put: Callable[[str, bytes], object]
    folder: Path
    """That the whole conversation reads people from."""

    def call(self, tool: str, **args: Any) -> Any:
        result = skills.call(SKILL, tool, self.ctx, **args)
        self.settle()
        return result

    def undo(self, tool: str, result: Result) -> None:
        skills.undo(SKILL, tool, self.ctx, result)
        self.settle()

    def find(self, name: str) -> Any:
        self.settle()
        return skills.call(SKILL, "find", self.ctx, name=name).data["items"]


def _vdir(tmp_path: Path) -> Store:
    ctx = skills.make_context(SKILL, folder=tmp_path, now=NOW)

    def texts() -> dict[str, str]:
        return {uid_of(one.read_bytes()): one.read_bytes().decode() for one in tmp_path.glob("*.vcf")}

    return Store(ctx, lambda: None, texts, lambda name, data: (tmp_path / name).write_bytes(data), tmp_path)


def _remote(server: Radicale | Xandikos, tmp_path: Path) -> Store:
    user = server.user()
    url = server.address_book(user, f"book{next(_serial)}", title="Friends")
    machine = Machine(tmp_path, server.account(user).model_copy(update={"carddav": url}), user.password)
    machine.sync("contacts")
    others = Others(server.client(user), url)
    ctx = machine.context("contacts", book="work/Friends")
    folder = tmp_path / "skill-data" / "contacts" / "accounts" / "work"
    return Store(ctx, lambda: machine.sync("contacts"), others.texts, others.put, folder)


@pytest.fixture(params=["vdir", "radicale", "xandikos"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "vdir":
        return _vdir(tmp_path)
    return _remote(request.getfixturevalue(request.param), tmp_path)


def test_a_new_contact_is_seen_by_others_and_by_the_conversation(store: Store) -> None:
    store.call("add", name="王小明", email="wang@example.com", phone="+86 10 1234")
    (text,) = store.texts().values()
    assert "FN:王小明" in text
    assert "wang@example.com" in text
    (person,) = ContactsFolder(lambda: [store.folder]).people()
    assert (person.name, person.email) == ("王小明", "wang@example.com")


def test_what_others_write_is_found(store: Store) -> None:
    store.put("a.vcf", card("a@x", "Julia Novak", "EMAIL:julia@example.org", "TEL;TYPE=cell:+49 30 1"))
    (found,) = store.find("julia")
    assert (found["email"], found["phone"]) == ("julia@example.org", "+49 30 1")


def test_an_added_address_leaves_the_rest_of_a_card_alone(store: Store) -> None:
    photo = "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQAAAQABAAD/2wCEAAk="
    store.put("a.vcf", card("a@x", "Julia Novak", "TEL;TYPE=cell:+49 30 1", photo, "X-VENDOR:odd", "NOTE:old friend"))
    store.settle()
    added = store.call("add", name="Julia Novak", email="julia@example.org")
    (text,) = store.texts().values()
    for part in ("julia@example.org", "+49 30 1", "X-VENDOR:odd", "NOTE:old friend", "/9j/4AAQSkZJRgABAQAAAQABAAD"):
        assert part in text
    store.undo("add", added)
    (text,) = store.texts().values()
    assert "julia@example.org" not in text
    assert "NOTE:old friend" in text


def test_a_new_contact_can_be_taken_back(store: Store) -> None:
    added = store.call("add", name="Tom", email="tom@example.org")
    assert len(store.texts()) == 1
    store.undo("add", added)
    assert store.texts() == {}
    with pytest.raises(NotFound):
        store.find("Tom")


def test_an_address_added_here_and_one_added_there_are_both_kept(radicale: Radicale, tmp_path: Path) -> None:
    store = _remote(radicale, tmp_path)
    store.put("a.vcf", card("a@x", "Julia Novak", "TEL:+49 30 1"))
    store.settle()
    skills.call(SKILL, "add", store.ctx, name="Julia Novak", email="julia@example.org")
    store.put("a.vcf", card("a@x", "Julia Novak", "TEL:+49 30 1", "TEL:+49 30 2"))
    store.settle()
    (text,) = store.texts().values()
    for part in ("julia@example.org", "+49 30 1", "+49 30 2"):
        assert part in text

"""The contract of all mail stores: the same tests for Maildir, mbox and IMAP. A test file gives the fixture `store`.

Another program works in each store at the same time (`store.other`): it is seen, it is not overwritten, and what we do
is what it sees. `store.settle()` lets both sides hear of each other; it does nothing where there is one disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tests.support.mail import mail, module

SEEN, FLAGGED = frozenset({"seen"}), frozenset({"flagged"})


class Other(Protocol):
    """Another program at the same mailbox, by means of its own."""

    def deliver(self, raw: bytes, folder: str = "INBOX") -> None: ...
    def has(self, message_id: str, folder: str = "INBOX") -> int: ...
    def flags(self, message_id: str, folder: str = "INBOX") -> frozenset[str]: ...
    def flag(self, message_id: str, flag: str, folder: str = "INBOX") -> None: ...
    def move(self, message_id: str, folder: str, source: str = "INBOX") -> None: ...
    def delete(self, message_id: str, folder: str = "INBOX") -> None: ...


class Store(Protocol):
    """What the suite works with."""

    other: Other
    provider: Any

    def settle(self) -> None: ...
    def reopen(self) -> None: ...


def raw(number: int, **more: Any) -> bytes:
    return mail(subject=f"mail {number}", message_id=f"<{number}@x>", **more)


def slot(store: Store, number: int) -> Any:
    found = store.provider.find_by_message_id(f"<{number}@x>")
    assert found is not None, number
    return found


def place(store: Store, role: str) -> str:
    return str(store.provider.ensure(role).name)


def listed(store: Store, folder: str = "INBOX") -> list[str]:
    return [one.key for one in store.provider.candidates(folder)]


def seen_by(store: Store) -> Callable[[], tuple[dict[str, Any], list[str]]]:
    """Asks for what has changed since it was last asked."""
    version = ""

    def ask() -> tuple[dict[str, Any], list[str]]:
        nonlocal version
        delta = store.provider.changes(version)
        version = delta.version
        return dict(delta.changed), list(delta.gone)

    return ask


def test_a_mail_filed_is_a_mail_found_by_all(store: Store) -> None:
    text = "From here\n>From there\n\nend\n"
    store.provider.append("INBOX", raw(1, body=text), SEEN)
    found = slot(store, 1)
    assert (found.folder, found.flags) == ("INBOX", SEEN)
    assert store.provider.mails([found])[0].text == text.strip()
    assert store.provider.find_by_message_id("<2@x>") is None
    store.settle()
    assert store.other.has("<1@x>") == 1
    assert store.other.flags("<1@x>") == SEEN
    assert slot(store, 1) == found
    assert listed(store) == [found.key]


def test_a_mail_that_comes_is_seen_with_all_that_it_says(store: Store) -> None:
    store.settle()
    ask = seen_by(store)
    ask()
    store.other.deliver(
        mail(
            "王伟 <wangwei@example.cn>",
            "租房合同",
            "合同下周五之前签好。\n",
            message_id="<1@x>",
            files={"a.pdf": b"x" * 9},
        )
    )
    store.settle()
    changed, gone = ask()
    assert ([one.folder for one in changed.values()], gone) == (["INBOX"], [])
    (read,) = store.provider.mails(list(changed.values()))
    assert (read.subject, read.sender.name, read.text) == ("租房合同", "王伟", "合同下周五之前签好。")
    assert [(one.name, one.size) for one in read.attachments] == [("a.pdf", 9)]
    assert module("parse").parse(store.provider.whole(slot(store, 1))).subject == "租房合同"
    assert ask() == ({}, [])


def test_flags_and_moves_keep_the_key_and_reach_the_other(store: Store) -> None:
    for number in range(3):
        store.other.deliver(raw(number))
    store.settle()
    chosen = slot(store, 1)
    assert store.provider.flag(chosen, add=SEEN | FLAGGED)
    assert store.provider.flag(slot(store, 1), remove=FLAGGED)
    assert slot(store, 1).flags == SEEN
    archive = place(store, "archive")
    assert store.provider.move(slot(store, 1), archive)
    assert (slot(store, 1).key, slot(store, 1).folder) == (chosen.key, archive)
    store.settle()
    assert (slot(store, 1).key, slot(store, 1).folder, slot(store, 1).flags) == (chosen.key, archive, SEEN)
    assert (store.other.has("<1@x>"), store.other.has("<1@x>", archive)) == (0, 1)
    assert store.other.flags("<1@x>", archive) == SEEN
    assert len(listed(store)) == 2
    assert store.provider.move(slot(store, 1), "INBOX")
    store.settle()
    assert (store.other.has("<1@x>"), store.other.has("<1@x>", archive)) == (1, 0)
    assert slot(store, 1).key == chosen.key
    assert len(listed(store)) == 3


def test_a_move_that_is_taken_back_at_once_is_no_move(store: Store) -> None:
    store.other.deliver(raw(1))
    store.settle()
    trash = place(store, "trash")
    store.provider.move(slot(store, 1), trash)
    store.provider.move(slot(store, 1), "INBOX")
    store.settle()
    assert (store.other.has("<1@x>"), store.other.has("<1@x>", trash)) == (1, 0)
    assert slot(store, 1).folder == "INBOX"


def test_keys_last_over_a_restart(store: Store) -> None:
    for number in range(3):
        store.other.deliver(raw(number))
    store.settle()
    before = {number: slot(store, number).key for number in range(3)}
    store.provider.move(slot(store, 2), place(store, "archive"))
    store.reopen()
    store.settle()
    assert {number: slot(store, number).key for number in range(3)} == before
    ask = seen_by(store)
    changed, gone = ask()
    assert sorted(changed) == sorted(before.values())
    assert gone == []


def test_what_is_wished_for_survives_a_restart(store: Store) -> None:
    store.other.deliver(raw(1))
    store.settle()
    store.provider.flag(slot(store, 1), add=FLAGGED)
    store.provider.move(slot(store, 1), place(store, "trash"))
    store.reopen()
    assert slot(store, 1).flags == FLAGGED
    store.settle()
    assert store.other.has("<1@x>", place(store, "trash")) == 1
    assert store.other.flags("<1@x>", place(store, "trash")) == FLAGGED


def test_chinese_folders_are_folders(store: Store) -> None:
    store.other.deliver(raw(1), "账单")
    store.settle()
    assert "账单" in {folder.name for folder in store.provider.folders()}
    assert slot(store, 1).folder == "账单"
    assert store.provider.move(slot(store, 1), "INBOX")
    store.settle()
    assert (store.other.has("<1@x>"), store.other.has("<1@x>", "账单")) == (1, 0)
    assert store.provider.move(slot(store, 1), "账单")
    store.settle()
    assert (store.other.has("<1@x>"), store.other.has("<1@x>", "账单")) == (0, 1)


def test_the_folder_for_a_part_is_made_once(store: Store) -> None:
    for role in ("archive", "trash", "sent", "junk", "drafts"):
        folder = store.provider.ensure(role)
        assert folder.role == role
        assert store.provider.ensure(role) == folder
    store.settle()
    names = [folder.name for folder in store.provider.folders()]
    assert len(names) == len(set(names))
    assert {folder.role for folder in store.provider.folders()} >= {"inbox", "archive", "trash", "sent"}


def test_what_another_marks_moves_and_deletes_is_seen(store: Store) -> None:
    for number in range(4):
        store.other.deliver(raw(number))
    store.settle()
    keys = {number: slot(store, number).key for number in range(4)}
    archive = place(store, "archive")
    store.settle()
    ask = seen_by(store)
    ask()
    store.other.flag("<0@x>", "seen")
    store.other.move("<1@x>", archive)
    store.other.delete("<2@x>")
    store.settle()
    assert slot(store, 0).flags == SEEN
    assert slot(store, 1).folder == archive
    assert store.provider.find_by_message_id("<2@x>") is None
    changed, gone = ask()
    assert changed[keys[0]].flags == SEEN
    assert slot(store, 1).key in changed
    assert keys[2] in gone
    assert keys[3] not in changed
    assert store.provider.mails([slot(store, 1)])[0].subject == "mail 1"


def test_a_mail_that_another_took_away_is_no_error(store: Store) -> None:
    store.other.deliver(raw(1))
    store.settle()
    gone = slot(store, 1)
    store.other.delete("<1@x>")
    store.settle()
    assert store.provider.fetch(gone) is None
    assert store.provider.move(gone, place(store, "trash")) is False
    assert store.provider.flag(gone, add=SEEN) is False
    assert store.provider.mails([gone]) == [None]


def test_both_at_once_lose_nothing(store: Store) -> None:
    for number in range(6):
        store.other.deliver(raw(number))
    store.settle()
    archive, trash = place(store, "archive"), place(store, "trash")
    store.settle()
    slots = {number: slot(store, number) for number in range(6)}
    store.other.move("<0@x>", archive)
    store.other.delete("<1@x>")
    store.other.flag("<2@x>", "flagged")
    store.other.deliver(raw(6))
    store.provider.move(slots[0], trash)
    store.provider.move(slots[1], archive)
    store.provider.flag(slots[2], add=SEEN)
    store.provider.move(slots[3], archive)
    store.settle()
    store.settle()
    everywhere = {
        number: [store.other.has(f"<{number}@x>", one) for one in ("INBOX", archive, trash)] for number in range(7)
    }
    assert all(sum(places) == 1 for number, places in everywhere.items() if number != 1), everywhere
    assert sum(everywhere[1]) <= 1
    assert store.other.flags("<2@x>") == SEEN | FLAGGED
    assert everywhere[3] == [0, 1, 0]
    for number in (0, 2, 3, 4, 5, 6):
        here = slot(store, number)
        assert store.other.has(f"<{number}@x>", here.folder) == 1, number


def test_equal_mails_are_two_mails(store: Store) -> None:
    store.other.deliver(raw(1))
    store.other.deliver(raw(1))
    store.settle()
    first, second = store.provider.candidates("INBOX")
    assert first.key != second.key
    trash = place(store, "trash")
    store.provider.move(second, trash)
    store.settle()
    assert listed(store) == [first.key]
    assert (store.other.has("<1@x>"), store.other.has("<1@x>", trash)) == (1, 1)


def test_a_mail_without_message_id_is_one_too(store: Store) -> None:
    bare = raw(1).replace(b"Message-ID: <1@x>\n", b"")
    store.other.deliver(bare)
    store.settle()
    (only,) = store.provider.candidates("INBOX")
    trash = place(store, "trash")
    assert store.provider.move(only, trash)
    store.settle()
    assert [one.key for one in store.provider.candidates(trash)] == [only.key]
    store.provider.append("INBOX", bare.replace(b"mail 1", b"mail 2"), SEEN)
    store.settle()
    store.settle()
    assert len(listed(store)) == 1


def test_broken_mail_breaks_nothing(store: Store) -> None:
    for data in (
        b"\n",
        b"Subject: \xff\xfe\n\n\x00\xff",
        b"From: x\nMessage-ID: <1@x>\nContent-Type: multipart/mixed\n\n--\n",
    ):
        store.other.deliver(data)
    store.settle()
    found: Sequence[Any] = store.provider.mails(store.provider.candidates("INBOX"))
    assert len(found) == 3
    assert all(mail_ is not None for mail_ in found)

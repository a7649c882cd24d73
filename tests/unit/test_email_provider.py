"""One contract for all mail stores: Maildir and mbox behave alike, and others may work in them at the same time."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.mail import deliver, mail, module

provider = module("provider")
Slot: Any = provider.Slot
SEEN = frozenset({"seen"})


@pytest.fixture(params=["maildir", "mbox"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "maildir":
        deliver(tmp_path / "mail")
    else:
        (tmp_path / "mail").touch()
    return module("stores").provider_for(tmp_path / "mail")


def only(store: Any, folder: str = "INBOX") -> Any:
    (slot,) = store.candidates(folder)
    return slot


def test_a_mail_filed_is_a_mail_found(store: Any) -> None:
    raw = mail(message_id="<1@example.org>", body="From here\n>From there\n\nend\n")
    store.append("INBOX", raw, SEEN)
    slot = only(store)
    assert slot.flags == SEEN
    assert module("parse").parse(store.fetch(slot)).text == "From here\n>From there\n\nend"
    assert store.find_by_message_id("<1@example.org>") == slot
    assert store.find_by_message_id("<1@example.org>", "INBOX") == slot
    assert store.find_by_message_id("<2@example.org>") is None


def test_a_message_id_in_the_body_is_not_the_mails(store: Any) -> None:
    store.append("INBOX", mail(message_id="<1@x>", body="Message-ID: <9@x>\n\nMessage-ID: <8@x>\n"), SEEN)
    assert store.find_by_message_id("<9@x>") is None
    assert store.find_by_message_id("<8@x>") is None


def test_flags_and_moves_keep_the_key_and_the_bytes(store: Any) -> None:
    for number in range(3):
        store.append("INBOX", mail(subject=f"mail {number}", message_id=f"<{number}@x>"), frozenset())
    chosen = store.find_by_message_id("<1@x>")
    before = module("parse").parse(store.fetch(chosen))
    assert store.flag(chosen, add=frozenset({"seen", "flagged"}))
    assert store.flag(chosen, remove=frozenset({"flagged"}))
    assert store.find_by_message_id("<1@x>") == Slot("INBOX", chosen.key, SEEN)
    archive = store.ensure("archive")
    assert archive.role == "archive"
    assert store.ensure("archive") == archive
    assert store.move(store.find_by_message_id("<1@x>"), archive.name)
    assert only(store, archive.name) == Slot(archive.name, chosen.key, SEEN)
    assert module("parse").parse(store.fetch(only(store, archive.name))).text == before.text
    assert len(store.candidates("INBOX")) == 2
    assert store.move(only(store, archive.name), "INBOX")
    assert len(store.candidates("INBOX")) == 3


def test_a_mail_that_vanished_is_no_error(store: Any) -> None:
    gone = Slot("INBOX", "123.gone", frozenset())
    assert store.fetch(gone) is None
    assert store.move(gone, store.ensure("trash").name) is False
    assert store.flag(gone, add=SEEN) is False


def test_the_stamp_changes_with_the_folder(store: Any) -> None:
    first = store.stamp("INBOX")
    store.append("INBOX", mail(), frozenset())
    second = store.stamp("INBOX")
    assert second == "" or second != first


def test_equal_mails_are_two_mails(store: Any) -> None:
    raw = mail(message_id="<1@x>")
    store.append("INBOX", raw, frozenset())
    store.append("INBOX", raw, frozenset())
    first, second = store.candidates("INBOX")
    assert first.key != second.key
    store.move(second, store.ensure("trash").name)
    assert len(store.candidates("INBOX")) == 1


def _append(path: str, start: int) -> None:
    store = module("stores").provider_for(Path(path))
    for number in range(start, start + 12):
        store.append("INBOX", mail(message_id=f"<{number}@x>"), frozenset())


def test_delivery_during_our_changes_loses_nothing(store: Any, tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_append, args=(str(tmp_path / "mail"), 100))
    store.append("INBOX", mail(message_id="<1@x>"), frozenset())
    process.start()
    for _ in range(12):
        slot = store.find_by_message_id("<1@x>")
        store.flag(slot, add=SEEN)
        store.flag(slot, remove=SEEN)
    process.join()
    assert process.exitcode == 0
    assert len(store.candidates("INBOX")) == 13
    assert all(store.find_by_message_id(f"<{number}@x>") for number in range(100, 112))


def test_a_maildir_mail_renamed_by_another_program_is_still_there(tmp_path: Path) -> None:
    deliver(tmp_path / "mail", mail(message_id="<1@x>"))
    store = module("stores").provider_for(tmp_path / "mail")
    slot = only(store)
    (file,) = (tmp_path / "mail" / "new").iterdir()
    file.rename(tmp_path / "mail" / "cur" / f"{file.name}:2,PRa")
    assert store.fetch(slot) is not None
    assert store.flag(slot, add=SEEN)
    assert [path.name for path in (tmp_path / "mail" / "cur").iterdir()] == [f"{slot.key}:2,PRSa"]


def test_maildir_folders_of_every_layout_are_found(tmp_path: Path) -> None:
    root = tmp_path / "mail"
    deliver(root)
    for name in (".Sent", ".&V4NXPpCuTvY-", "Old/2024"):
        for part in ("cur", "new", "tmp"):
            (root / name / part).mkdir(parents=True)
    found = {folder.name: folder.role for folder in module("stores").provider_for(root).folders()}
    assert found == {"INBOX": "inbox", "Sent": "sent", "垃圾邮件": "junk", "Old/2024": ""}


def test_a_maildir_that_is_gone_raises_instead_of_looking_empty(tmp_path: Path) -> None:
    deliver(tmp_path / "mail")
    store = module("stores").provider_for(tmp_path / "mail")
    (tmp_path / "mail").rename(tmp_path / "away")
    with pytest.raises(OSError, match="mail"):
        store.folders()


def test_an_mbox_with_unquoted_from_lines_and_foreign_flags_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mail"
    file.write_bytes(
        b"From a@example.org Mon Nov 23 09:00:00 2026\nMessage-ID: <1@x>\nStatus: RO\nX-Status: AF\n\nFrom me to you\n"
        b"\nFrom b@example.org Mon Nov 23 10:00:00 2026\r\nMessage-ID: <2@x>\r\n\r\ntwo\r\n"
    )
    store = module("stores").provider_for(file)
    first, second = store.candidates("INBOX")
    assert first.flags == {"seen", "answered", "flagged"}
    assert second.flags == frozenset()
    store.flag(first, remove=frozenset({"flagged"}))
    assert store.candidates("INBOX")[0] == Slot("INBOX", first.key, frozenset({"seen", "answered"}))
    assert b"two" in store.fetch(second)


def test_an_mbox_lock_of_a_dead_program_does_not_block(tmp_path: Path) -> None:
    file = tmp_path / "mail"
    file.touch()
    dead = multiprocessing.get_context("fork").Process(target=lambda: None)
    dead.start()
    dead.join()
    (tmp_path / "mail.lock").write_text(f"{dead.pid}\n")
    module("stores").provider_for(file).append("INBOX", mail(), frozenset())
    assert not (tmp_path / "mail.lock").exists()


def test_an_mbox_that_others_keep_locked_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mail"
    file.touch()
    (tmp_path / "mail.lock").write_text(f"{os.getpid()}\n")
    monkeypatch.setattr(module("mbox"), "_PATIENCE_S", 0.1)
    with pytest.raises(provider.Busy):
        module("stores").provider_for(file).append("INBOX", mail(), frozenset())
    assert file.read_bytes() == b""


def test_a_full_disk_leaves_the_mbox_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mail"
    file.touch()
    store = module("stores").provider_for(file)
    store.append("INBOX", mail(), frozenset())
    before = file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    changes: list[Callable[[], object]] = [
        lambda: store.flag(only(store), add=SEEN),
        lambda: store.append("INBOX", mail(), frozenset()),
    ]
    for change in changes:
        with pytest.raises(OSError, match="No space"):
            change()
        assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mail"]


def test_a_mail_delivered_right_after_a_listing_is_seen(store: Any) -> None:
    store.append("INBOX", mail(message_id="<1@x>"), frozenset())
    time.sleep(0)
    before = store.stamp("INBOX")
    store.candidates("INBOX")
    store.append("INBOX", mail(message_id="<2@x>"), frozenset())
    assert before == "" or store.stamp("INBOX") != before

"""The chain of hashes and what breaks it. Example run: python -m pytest tests/unit/test_safety_audit.py -v"""

import hashlib
import re
import threading
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safety_parts import CATALOGUE, START

from assistant.clock import FrozenClock
from assistant.models import canonical
from assistant.safety.audit import GENESIS, Audit, AuditReport
from assistant.store import Database, open_database


@pytest.fixture
def db(tmp_path: Path) -> Database:
    return open_database(tmp_path / "assistant.db", durable=True)


@pytest.fixture
def audit(db: Database) -> Audit:
    audit = Audit(db, FrozenClock(START))
    for number in range(10):
        audit.record("action", tool="email.send", number=number)
    return audit


def bad(report: AuditReport) -> tuple[bool, int | None, str]:
    for language in ("en", "zh"):
        assert str(report.first_bad or "") in CATALOGUE.text(
            language, f"safety.audit.{report.problem}", n=report.first_bad
        )
    return report.ok, report.first_bad, report.problem


def rehash(db: Database, first: int) -> None:
    """What somebody who knows the format does after an edit: make all later links right again."""
    before = db.conn.execute("SELECT hash FROM audit WHERE n = ?", (first - 1,)).fetchone()
    last = bytes.fromhex(before["hash"]) if before else GENESIS
    for row in db.conn.execute("SELECT n, entry FROM audit WHERE n >= ? ORDER BY n", (first,)).fetchall():
        last = hashlib.sha256(last + row["entry"].encode()).digest()
        db.conn.execute("UPDATE audit SET hash = ? WHERE n = ?", (last.hex(), row["n"]))


def test_an_untouched_chain_is_whole(audit: Audit) -> None:
    assert audit.verify() == AuditReport(ok=True, entries=10)


def test_an_empty_chain_is_whole(db: Database) -> None:
    assert Audit(db, FrozenClock(START)).verify() == AuditReport(ok=True, entries=0)


@pytest.mark.parametrize("number", [1, 5, 10])
@pytest.mark.parametrize("column", ["entry", "hash"])
def test_one_changed_character_is_found_at_its_entry(audit: Audit, db: Database, number: int, column: str) -> None:
    text = db.conn.execute(f"SELECT {column} FROM audit WHERE n = ?", (number,)).fetchone()[0]
    position = len(text) // 2
    other = "0" if text[position] != "0" else "1"
    db.conn.execute(
        f"UPDATE audit SET {column} = ? WHERE n = ?", (text[:position] + other + text[position + 1 :], number)
    )
    assert bad(audit.verify()) == (False, number, "entry_changed")


@pytest.mark.parametrize("number", [1, 5, 9])
def test_a_dropped_entry_is_found(audit: Audit, db: Database, number: int) -> None:
    db.conn.execute("DELETE FROM audit WHERE n = ?", (number,))
    assert bad(audit.verify()) == (False, number, "entry_missing")


def test_a_dropped_entry_whose_gap_was_closed_is_found(audit: Audit, db: Database) -> None:
    db.conn.execute("DELETE FROM audit WHERE n = 5")
    for number in range(6, 11):
        db.conn.execute("UPDATE audit SET n = ? WHERE n = ?", (number - 1, number))
    assert bad(audit.verify()) == (False, 5, "entry_changed")


def test_two_entries_that_changed_places_are_found(audit: Audit, db: Database) -> None:
    db.conn.execute("UPDATE audit SET n = 99 WHERE n = 4")
    db.conn.execute("UPDATE audit SET n = 4 WHERE n = 5")
    db.conn.execute("UPDATE audit SET n = 5 WHERE n = 99")
    assert bad(audit.verify()) == (False, 4, "entry_changed")


@pytest.mark.parametrize("kept", [9, 1, 0])
def test_a_tail_cut_off_is_found(audit: Audit, db: Database, kept: int) -> None:
    db.conn.execute("DELETE FROM audit WHERE n > ?", (kept,))
    assert bad(audit.verify()) == (False, kept + 1, "tail_missing")


def test_a_spliced_in_entry_is_found_even_with_all_links_made_right(audit: Audit, db: Database) -> None:
    for number in range(10, 4, -1):
        db.conn.execute("UPDATE audit SET n = ? WHERE n = ?", (number + 1, number))
    db.conn.execute("INSERT INTO audit (n, entry, hash) VALUES (5, '{}', '')")
    assert bad(audit.verify()) == (False, 5, "entry_changed")
    rehash(db, 5)
    assert bad(audit.verify()) == (False, 10, "head_changed")


def test_an_edit_with_all_links_made_right_is_found_by_the_head(audit: Audit, db: Database) -> None:
    db.conn.execute("UPDATE audit SET entry = '{}' WHERE n = 3")
    rehash(db, 3)
    assert bad(audit.verify()) == (False, 10, "head_changed")


@pytest.mark.parametrize("content", [None, "", "rubbish", "\udcff"])
def test_a_head_that_is_gone_or_damaged_is_found(audit: Audit, tmp_path: Path, content: str | None) -> None:
    head = tmp_path / "audit.head"
    if content is None:
        head.unlink()
    else:
        head.write_text(content, encoding="utf-8", errors="surrogateescape")
    assert bad(audit.verify()) == (False, None, "head_missing")


def test_a_head_that_lags_after_a_crash_is_no_alarm_and_catches_up(audit: Audit, tmp_path: Path) -> None:
    before = (tmp_path / "audit.head").read_bytes()
    audit.record("one more")
    (tmp_path / "audit.head").write_bytes(before)
    assert audit.verify().ok
    audit.record("and one")
    assert (tmp_path / "audit.head").read_bytes().startswith(b"00000000000000000012 ")
    assert audit.verify() == AuditReport(ok=True, entries=12)


def test_a_head_that_cannot_be_written_stops_nothing(audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "audit.head").unlink()
    (tmp_path / "audit.head").mkdir()
    audit.record("one more")
    assert len(audit.entries()) == 11


def test_what_is_rolled_back_leaves_no_entry(audit: Audit, db: Database) -> None:
    def half_done() -> None:
        with audit.recording(db) as connection:
            audit.append(connection, "never", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_done()
    assert audit.verify() == AuditReport(ok=True, entries=10)


def test_two_connections_append_to_one_chain(db: Database, tmp_path: Path) -> None:
    def append(name: str) -> None:
        own = Audit(open_database(tmp_path / "assistant.db"), FrozenClock(START))
        for number in range(50):
            own.record(name, number=number)

    threads = [threading.Thread(target=append, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    audit = Audit(db, FrozenClock(START))
    assert audit.verify() == AuditReport(ok=True, entries=150)
    for name in ("a", "b", "c"):
        numbers = [entry.data["number"] for entry in audit.entries(1000) if entry.kind == name]
        assert numbers == list(range(49, -1, -1))


def test_bodies_are_digests_and_secrets_are_nothing(db: Database) -> None:
    audit = Audit(db, FrozenClock(START))
    audit.record("action", args={"to": ["a@b"], "body": "meet me"}, password="hunter2", note="x" * 300, token="t")
    [entry] = audit.entries()
    assert entry.data["args"]["to"] == ["a@b"]
    assert entry.data["args"]["body"] == {"sha256": hashlib.sha256(b"meet me").hexdigest(), "characters": 7}
    assert entry.data["note"]["characters"] == 300
    assert entry.data["password"] == entry.data["token"] == {"withheld": "secret"}
    raw = str([tuple(row) for row in db.conn.execute("SELECT * FROM audit")])
    for hidden in ("meet me", "hunter2", hashlib.sha256(b"hunter2").hexdigest(), "xxx"):
        assert hidden not in raw


def test_bodies_are_kept_if_the_user_asks_and_secrets_still_are_not(db: Database) -> None:
    audit = Audit(db, FrozenClock(START), keep_bodies=True)
    audit.record("action", body="meet me", note="x" * 300, secrets={"imap_password": "hunter2"}, prompt_tokens=7)
    [entry] = audit.entries()
    assert (entry.data["body"], entry.data["note"], entry.data["prompt_tokens"]) == ("meet me", "x" * 300, 7)
    assert entry.data["secrets"] == {"imap_password": {"withheld": "secret"}}


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary(max_size=20)
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.builds(Decimal, st.integers())
    | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dictionaries(st.text(st.characters(), max_size=8), anything, max_size=4), max_size=3))
def test_whatever_is_recorded_the_chain_holds_and_can_be_read(data: list[dict[str, object]]) -> None:
    audit = Audit(open_database(":memory:"), FrozenClock(START))
    for one in data:
        with audit.recording(audit._db) as connection:
            audit.append(connection, "action", one)
    assert audit.verify() == AuditReport(ok=True, entries=len(data))
    assert len(audit.entries()) == len(data)


def test_entries_come_newest_first_and_since_a_moment(db: Database) -> None:
    clock = FrozenClock(START)
    audit = Audit(db, clock)
    for minute in range(5):
        clock.at = START + timedelta(minutes=minute)
        audit.record("tick", minute=minute)
    assert [entry.data["minute"] for entry in audit.entries(2)] == [4, 3]
    assert [entry.data["minute"] for entry in audit.entries(since=START + timedelta(minutes=3))] == [4, 3]
    assert audit.entries()[0].at == datetime.fromisoformat("2026-11-22T12:04:00+00:00")


def outsider(file: Path) -> bool:
    """The check that docs/safety.md gives to people who trust nothing of ours."""
    docs = Path(__file__).parents[2] / "docs" / "safety.md"
    [check] = re.findall(r"```python\n(.*?)```", docs.read_text(encoding="utf-8"), re.DOTALL)
    try:
        exec(check.replace("sys.argv[1]", repr(str(file))), {})
    except (AssertionError, KeyError):
        return False
    return True


def test_an_export_can_be_checked_by_an_outsider(audit: Audit, tmp_path: Path) -> None:
    audit.record("回复", title="周五", text="line one\nline two\u2028")
    file = tmp_path / "audit.jsonl"
    assert audit.export(file) == 11
    assert file.stat().st_mode & 0o777 == 0o600
    assert outsider(file)
    lines = file.read_text(encoding="utf-8").splitlines()
    for broken in (
        lines[:-2] + lines[-1:],
        lines[:-1],
        lines[:3] + lines[4:],
        [lines[0], lines[2], lines[1], *lines[3:]],
    ):
        file.write_text("\n".join(broken) + "\n", encoding="utf-8")
        assert not outsider(file)


def test_an_export_that_cannot_be_finished_leaves_no_half_a_file(audit: Audit, tmp_path: Path) -> None:
    target = tmp_path / "there"
    target.mkdir()
    with pytest.raises(OSError, match="there"):
        audit.export(target)
    assert list(tmp_path.glob("*.tmp")) == []


def test_a_long_chain_is_checked_one_by_one(db: Database) -> None:
    last = GENESIS
    rows = []
    for number in range(1, 20_001):
        entry = canonical({"at": "2026-11-22T12:00:00.000000+00:00", "data": {"n": number}, "kind": "action"})
        last = hashlib.sha256(last + entry.encode()).digest()
        rows.append((number, entry, last.hex()))
    db.conn.execute("BEGIN")
    db.conn.executemany("INSERT INTO audit VALUES (?, ?, ?)", rows)
    db.conn.execute("COMMIT")
    audit = Audit(db, FrozenClock(START))
    audit.record("one more")
    assert audit.verify() == AuditReport(ok=True, entries=20_001)
    db.conn.execute("UPDATE audit SET entry = replace(entry, '17777', '17778') WHERE n = 17777")
    assert bad(audit.verify()) == (False, 17777, "entry_changed")

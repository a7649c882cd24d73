"""Two changes of one event or contact: joined where they are about different things, never at the cost of either."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.dav.lines import read, same
from assistant.dav.merge import merged
from tests.support.davs import calendar, card, event

BASE = event(
    "a@x",
    "Lunch",
    "LOCATION:Here",
    "DESCRIPTION:notes",
    "ATTENDEE;CN=Anna;PARTSTAT=NEEDS-ACTION:mailto:anna@example.org",
    "ATTENDEE;CN=Bob;PARTSTAT=NEEDS-ACTION:mailto:bob@example.org",
    'X-VENDOR;X-P="a;b":odd\\, value',
    "BEGIN:VALARM",
    "ACTION:DISPLAY",
    "TRIGGER:-PT15M",
    "END:VALARM",
)


def changed(old: str, new: str, data: bytes = BASE) -> bytes:
    assert old.encode() in data
    return data.replace(old.encode(), new.encode())


def both(ours: bytes, theirs: bytes, base: bytes = BASE) -> bytes | None:
    return merged(base, ours, base, theirs)


def test_changes_of_different_things_are_joined() -> None:
    done = both(changed("SUMMARY:Lunch", "SUMMARY:Long lunch"), changed("LOCATION:Here", "LOCATION:There"))
    assert done == changed("SUMMARY:Lunch", "SUMMARY:Long lunch", changed("LOCATION:Here", "LOCATION:There"))


def test_the_same_change_on_both_sides_is_one() -> None:
    new = changed("SUMMARY:Lunch", "SUMMARY:Long lunch")
    assert both(new, new) == new


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (("SUMMARY:Lunch", "SUMMARY:A"), ("SUMMARY:Lunch", "SUMMARY:B")),
        (("DTSTART:20261124T09", "DTSTART:20261124T08"), ("DTEND:20261124T10", "DTEND:20261124T11")),
        (
            ("Anna;PARTSTAT=NEEDS-ACTION", "Anna;PARTSTAT=ACCEPTED"),
            ("Anna;PARTSTAT=NEEDS-ACTION", "Anna;PARTSTAT=DECLINED"),
        ),
        (("LOCATION:Here\r\n", ""), ("LOCATION:Here", "LOCATION:There")),
    ],
    ids=["title", "start and end", "one guest's answer", "taken out and changed"],
)
def test_changes_of_the_same_thing_are_not(ours: tuple[str, str], theirs: tuple[str, str]) -> None:
    assert both(changed(*ours), changed(*theirs)) is None
    assert both(changed(*theirs), changed(*ours)) is None


def test_guests_answers_exceptions_and_alarms_are_each_their_own() -> None:
    mine = changed("Anna;PARTSTAT=NEEDS-ACTION", "Anna;PARTSTAT=ACCEPTED")
    done = both(mine, changed("Bob;PARTSTAT=NEEDS-ACTION", "Bob;PARTSTAT=DECLINED"))
    assert done is not None
    assert b"Anna;PARTSTAT=ACCEPTED" in done
    assert b"Bob;PARTSTAT=DECLINED" in done
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT1H\r\nEND:VALARM\r\nEND:VEVENT"
    done = both(changed("END:VEVENT", alarm), changed("TRIGGER:-PT15M", "TRIGGER:-PT5M"))
    assert done is not None
    assert b"-PT1H" in done
    assert b"-PT5M" in done
    assert b"-PT15M" not in done


SERIES = event("s@x", "Yoga", "RRULE:FREQ=WEEKLY;COUNT=9")
OVERRIDE = (
    "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:s@x\r\nRECURRENCE-ID:20261201T090000Z\r\nDTSTART:20261201T110000Z\r\n"
    "DTEND:20261201T120000Z\r\nSUMMARY:Yoga\r\nEND:VEVENT"
)


def test_an_occurrence_moved_here_and_a_title_changed_there_are_joined() -> None:
    done = both(changed("END:VEVENT", OVERRIDE, SERIES), changed("SUMMARY:Yoga", "SUMMARY:Tai chi", SERIES), SERIES)
    assert done is not None
    assert done.count(b"BEGIN:VEVENT") == 2
    assert b"SUMMARY:Tai chi" in done


def test_an_occurrence_of_a_series_that_was_moved_means_nothing() -> None:
    moved = changed("DTSTART:20261124T09", "DTSTART:20261124T07", SERIES)
    assert both(changed("END:VEVENT", OVERRIDE, SERIES), moved, SERIES) is None
    assert both(moved, changed("END:VEVENT", OVERRIDE, SERIES), SERIES) is None
    assert both(moved, changed("RRULE", "EXDATE:20261201T090000Z\r\nRRULE", SERIES), SERIES) is None


def test_two_exceptions_are_both_kept() -> None:
    done = both(
        changed("RRULE", "EXDATE:20261201T090000Z\r\nRRULE", SERIES),
        changed("RRULE", "EXDATE:20261208T090000Z\r\nRRULE", SERIES),
        SERIES,
    )
    assert done is not None
    assert b"EXDATE:20261201" in done
    assert b"EXDATE:20261208" in done


def test_the_later_housekeeping_counts() -> None:
    base = event("a@x", "Lunch", "SEQUENCE:2", "LAST-MODIFIED:20260101T000000Z")
    mine = changed("SEQUENCE:2", "SEQUENCE:10", changed("SUMMARY:Lunch", "SUMMARY:L", base))
    theirs = changed("SEQUENCE:2", "SEQUENCE:9", changed("LAST-MODIFIED:2026", "LAST-MODIFIED:2027", base))
    done = both(mine, theirs, base)
    assert done is not None
    assert b"SEQUENCE:10" in done
    assert b"LAST-MODIFIED:2027" in done


def test_a_servers_own_way_of_writing_is_no_change() -> None:
    rewritten = changed('X-VENDOR;X-P="a;b":odd\\, value\r\nBEGIN:VALARM', "BEGIN:VALARM")
    rewritten = changed("SUMMARY:Lunch\r\n", 'X-VENDOR;X-P="a;b":odd\\, va\r\n lue\r\nSUMMARY:Lunch\r\n', rewritten)
    assert same(BASE, rewritten)
    done = merged(BASE, changed("LOCATION:Here", "LOCATION:There"), rewritten, changed("Lunch", "Brunch", rewritten))
    assert done == changed("LOCATION:Here", "LOCATION:There", changed("Lunch", "Brunch", rewritten))


def test_contacts_keep_what_both_sides_added() -> None:
    base = card(
        "c", "Anna", "TEL;TYPE=cell:+49 1", "item1.URL:https://a", "item1.X-ABLABEL:home", "PHOTO;ENCODING=b:AAAA"
    )
    mine = changed("TEL;TYPE=cell:+49 1", "TEL;TYPE=cell:+49 1\r\nTEL:+49 2", base)
    theirs = changed("TEL;TYPE=cell:+49 1", "TEL;TYPE=cell:+49 1\r\nEMAIL:anna@example.org\r\nTEL:+49 3", base)
    done = both(mine, theirs, base)
    assert done is not None
    for line in (
        b"+49 1",
        b"+49 2",
        b"+49 3",
        b"EMAIL:anna@example.org",
        b"item1.X-ABLABEL:home",
        b"PHOTO;ENCODING=b:AAAA",
    ):
        assert done.count(line) == 1
    assert both(changed("https://a", "https://b", base), changed("https://a", "https://c", base), base) is None


@pytest.mark.parametrize("broken", [b"", b"\0\0", b"BEGIN:VCALENDAR\r\n", BASE[:-20], b"hello", BASE + BASE])
def test_what_is_not_one_whole_item_is_not_joined(broken: bytes) -> None:
    assert both(broken, changed("Lunch", "Brunch")) is None
    assert both(changed("Lunch", "Brunch"), broken) is None


def test_every_byte_is_kept_by_reading_and_writing() -> None:
    tree = read(BASE)
    assert tree is not None
    assert tree.data() == BASE


WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=120)
NAMES = st.sampled_from(["SUMMARY", "LOCATION", "X-A", "X-B", "COMMENT", "CATEGORIES", "URL", "PRIORITY"])
SIDE = st.dictionaries(NAMES, WORDS, max_size=4)


def written(values: dict[str, str]) -> bytes:
    escaped = {
        name: value.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;") for name, value in values.items()
    }
    return calendar("VEVENT", "UID:a", "DTSTART:20261124T090000Z", *(f"{n}:{v}" for n, v in escaped.items()))


@given(SIDE, SIDE, SIDE)
def test_nothing_that_either_side_wrote_is_lost_in_joining(
    base: dict[str, str], ours: dict[str, str], theirs: dict[str, str]
) -> None:
    done = merged(written(base), written(ours), written(base), written(theirs))
    one_sided = all(
        base.get(n) == ours.get(n) or base.get(n) == theirs.get(n) or ours.get(n) == theirs.get(n)
        for n in (*base, *ours, *theirs)
    )
    if done is None:
        assert not one_sided
        return
    assert read(done) is not None
    tree = read(done)
    assert tree is not None
    assert tree.root is not None
    lines = {line.canonical for line in tree.root.components[0].lines}
    for mine, yours in ((ours, theirs), (theirs, ours)):
        for name, value in mine.items():
            if base.get(name) != value:  # it was written by this side
                wanted = read(written({name: value}))
                assert wanted is not None
                assert wanted.root is not None
                assert wanted.root.components[0].lines[-1].canonical in lines, (name, yours.get(name))


@given(st.binary(max_size=300))
def test_no_bytes_at_all_make_it_fail(data: bytes) -> None:
    merged(BASE, data, BASE, changed("Lunch", "Brunch"))
    merged(BASE, changed("Lunch", "Brunch"), BASE, data)
    same(BASE, data)

"""A disk that is really full (a small tmpfs). Skipped in one line where none can be mounted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.faults import disks
from bench.faults.disks import Disk, small_disk

pytestmark = pytest.mark.usefixtures("many_daemons")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        with small_disk(tmp_path / "disk", 128 * 2**20) as found:
            yield found
    except OSError as error:
        pytest.skip(f"NO SMALL DISK: {error}")


@pytest.mark.parametrize("part", disks.PARTS)
def test_a_write_that_finds_no_room_is_refused_in_words_and_done_when_there_is_room(part: str, disk: Disk) -> None:
    assert disks.PARTS[part](disk) == ""


@pytest.mark.parametrize("spare", [0, 65_536, 262_144])
def test_turns_on_a_full_disk_lose_nothing_and_do_nothing_unseen(spare: int, disk: Disk, tmp_path: Path) -> None:
    mail = tmp_path / "mail"
    mail.mkdir()
    wrong, _, refused = disks.talking(disk, mail, spare)
    assert wrong == ""
    assert refused, "the disk was not full"


def test_a_start_on_a_full_disk_says_so_or_works(disk: Disk) -> None:
    assert disks.starting(disk) == ""

"""The audit against tampering at random places. Example run: python -m pytest tests/unit/test_safety_tampering.py -v"""

import random
from pathlib import Path

import pytest

from assistant.safety import seal
from assistant.safety.audit import Audit, AuditReport
from bench.faults.audits import TAMPERINGS, chain, found

PLACES = 17


@pytest.mark.parametrize("seed", range(PLACES))
@pytest.mark.parametrize("kind", TAMPERINGS)
def test_tampering_is_found_wherever_it_is(kind: str, seed: int) -> None:
    assert found(kind, seed)


@pytest.mark.parametrize(
    "kind", ["truncate, head made to fit", "database and head rolled back", "all made anew, head too"]
)
def test_only_the_seal_finds_what_fits_its_head(kind: str, tmp_path: Path) -> None:
    one = chain(tmp_path, random.Random(5))
    TAMPERINGS[kind](one)
    one.audit.sealed = None
    assert one.audit.verify().ok


class Secrets:
    """Secrets in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def get(self, name: str) -> str | None:
        return self.kept.get(name)

    async def put(self, name: str, value: str) -> None:
        self.kept[name] = value

    async def delete(self, name: str) -> bool:
        return self.kept.pop(name, None) is not None


async def test_the_end_is_sealed_and_read_back(tmp_path: Path) -> None:
    one, secrets = chain(tmp_path, random.Random(1)), Secrets()
    one.audit.sealed = None
    await seal.renew(secrets, one.audit)
    assert await seal.read(secrets) == one.audit.end() == one.audit.sealed


async def test_a_chain_that_lost_its_end_is_not_sealed_anew(tmp_path: Path) -> None:
    one, secrets = chain(tmp_path, random.Random(1)), Secrets()
    await secrets.put(seal.NAME, "99 " + "0" * 64)
    one.audit.sealed = await seal.read(secrets)
    await seal.renew(secrets, one.audit)
    assert secrets.kept[seal.NAME].startswith("99 ")
    assert one.audit.verify().problem == "tail_missing"


@pytest.mark.parametrize("value", ["", "x", "12", "-1 " + "0" * 64, "1 " + "g" * 64])
async def test_a_seal_that_is_none_counts_as_none(value: str) -> None:
    secrets = Secrets()
    await secrets.put(seal.NAME, value)
    assert await seal.read(secrets) is None


def test_how_many_entries_are_lost_is_known_by_the_head_and_by_the_seal(tmp_path: Path) -> None:
    one = chain(tmp_path, random.Random(2))
    one.put(one.all()[:2])
    assert one.audit.lost() == one.length - 2
    one.new_head()
    assert one.audit.lost() == one.length - 2
    one.audit.sealed = None
    assert one.audit.lost() == 0


def test_the_entry_of_a_restore_is_pointed_at(tmp_path: Path) -> None:
    one = chain(tmp_path, random.Random(3))
    one.audit.record("restored", backup="daily.db")
    one.audit.record("action", note='"kind":"restored"}')
    assert one.audit.verify() == AuditReport(ok=True, entries=one.length + 2, restored=one.length + 1)
    assert isinstance(one.audit, Audit)

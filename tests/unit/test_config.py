"""Settings: layers, origins, refusals."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant import config
from assistant.errors import ConfigError
from assistant.resources import bundled


def write(folder: Path, text: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_shipped_file_has_every_key_with_its_default() -> None:
    shipped = config.load(bundled("config.yaml"), environment={})
    assert shipped.config == config.Config()
    assert set(config.flat(config.Config())) <= set(shipped.origins)


def test_every_shipped_setting_has_a_comment() -> None:
    for line in config.defaults_text().splitlines():
        if line.startswith("  "):
            assert "#" in line, line


def test_environment_beats_file_and_flag_beats_environment(tmp_path: Path) -> None:
    file = write(tmp_path, "engine:\n  context: 1024\n  threads: 3\nassistant:\n  name: Ada\n")
    loaded = config.load(
        file,
        environment={"ASSISTANT__ENGINE__CONTEXT": "2048", "ASSISTANT__ENGINE__THREADS": "5", "HOME": "/"},
        flags={"engine.threads": 7},
    )
    assert (loaded.config.engine.context, loaded.config.engine.threads, loaded.config.assistant.name) == (
        2048,
        7,
        "Ada",
    )
    assert loaded.origins["assistant.name"] == f"{file}:5"
    assert loaded.origins["engine.context"].startswith("environment")
    assert loaded.origins["engine.threads"] == "flag"


def test_an_unknown_key_is_refused_with_line_and_guess(tmp_path: Path) -> None:
    file = write(tmp_path, "engine:\n  context: 1024\n  modle: tiny\n")
    with pytest.raises(ConfigError) as refused:
        config.load(file, environment={})
    assert refused.value.code == "config.unknown_key"
    assert refused.value.data == {"file": str(file), "line": 3, "key": "engine.modle", "guess": "engine.model"}


def test_a_bad_value_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        config.load(write(tmp_path, "approvals:\n  hold_s: soon\n"), environment={})
    assert (refused.value.data["line"], refused.value.data["key"]) == (2, "approvals.hold_s")


@pytest.mark.parametrize("text", ["a: [", "\tb: 1", "- 1\n- 2", "assistant: !!python/object:os.system x", "\x00"])
def test_what_is_no_settings_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        config.load(write(tmp_path, text), environment={})


@given(st.binary(max_size=300))
def test_any_bytes_give_settings_or_a_config_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    file = tmp_path_factory.mktemp("config") / "config.yaml"
    file.write_bytes(raw)
    with contextlib.suppress(ConfigError):
        config.load(file, environment={})


def test_a_change_keeps_comments_and_refuses_what_is_wrong(tmp_path: Path) -> None:
    file = write(tmp_path, "# mine\nengine:\n  context: 1024  # small\n")
    config.change(file, "engine.threads", "2")
    config.change(file, "skills.email.settings.mailbox", "/mail")
    text = file.read_text(encoding="utf-8")
    assert "# mine" in text
    assert "# small" in text
    assert config.load(file, environment={}).config.skills["email"].settings == {"mailbox": "/mail"}
    with pytest.raises(ConfigError):
        config.change(file, "engine.context", "many")
    assert file.read_text(encoding="utf-8") == text


def test_an_unknown_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="IANA"):
        config.load(write(tmp_path, "assistant:\n  zone: Mars/Olympus\n"), environment={})


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.7", "localhost", "127.0.0.1.evil.example", "127.0.0.2", ""]
)
def test_an_address_beyond_this_computer_is_refused(tmp_path: Path, host: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"server:\n  host: {host!r}\n")
    with pytest.raises(ConfigError) as caught:
        config.load(file, environment={})
    assert caught.value.code == "config.beyond_loopback"


@pytest.mark.parametrize(
    "origin", ["*", "null", "http://a.example/", "a.example", "http://*.example", "http://u@a.example"]
)
def test_an_origin_is_named_whole(tmp_path: Path, origin: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"server:\n  allowed_origins: [{origin!r}]\n")
    with pytest.raises(ConfigError, match="is no origin"):
        config.load(file, environment={})

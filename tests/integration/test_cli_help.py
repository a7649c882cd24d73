"""Help pages, languages, the service's files, and what a terminal is given."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command
from typer.testing import CliRunner

from assistant.cli import docs, service
from assistant.cli.exits import Unfit
from assistant.cli.help import describe, localize, walk
from assistant.cli.main import app
from assistant.cli.shell import Shell, choose_language, clean, early_options
from assistant.models import Language
from assistant.paths import Paths, find

CONTRACT = (
    "ask chat run daemon service setup doctor config models account skills profile automations approvals audit voice"
    " travel cloud tray"
).split()
COMMANDS = [path for path, _ in walk(get_command(app))]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "a home with $pace & 100%"))
    monkeypatch.delenv("ASSISTANT_MODELS", raising=False)
    return find()


def test_every_command_of_the_contract_is_there() -> None:
    assert set(CONTRACT) <= {path[0] for path in COMMANDS if path}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_command_and_parameter_is_described_in_both_languages(language: Language) -> None:
    shell = Shell(language)
    root = get_command(app)
    localize(root, shell)
    for path, command in walk(root):
        told = [command.help, *(describe(shell, path, parameter.name) for parameter in command.params)]
        for text in told:
            chinese = bool(re.search("[一-鿿]", text))
            assert chinese == (language == "zh"), (path, text)


@pytest.mark.parametrize("path", [path for path in COMMANDS if len(path) < 2], ids=" ".join)
def test_help_reads_well_at_eighty_columns(path: tuple[str, ...]) -> None:
    for language in ("en", "zh"):
        result = CliRunner().invoke(app, ["--language", language, *path, "--help"])
        assert result.exit_code == 0
        assert " ".join(("assistant", *path)) in result.stdout
        for line in result.stdout.splitlines():
            assert sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in line) <= 80


def test_a_group_without_a_command_shows_its_help() -> None:
    result = CliRunner().invoke(app, ["approvals"])
    assert (result.exit_code, "approve" in result.stdout) == (0, True)


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("assistant 0")


def test_the_document_of_the_commands_is_current() -> None:
    for language, name in docs.FILES.items():
        written = (docs.FOLDER / name).read_text(encoding="utf-8")
        assert written == docs.document(language), "run: python -m assistant.cli.docs"


def test_the_shell_completes_commands_in_the_persons_language(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {**os.environ, "LANG": "zh_CN.UTF-8", "_ASSISTANT_COMPLETE": "complete_zsh"}
    environment["_TYPER_COMPLETE_ARGS"] = "assistant doc"
    environment.pop("LC_ALL", None)
    done = subprocess.run(
        [sys.executable, "-m", "assistant"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "doctor" in done.stdout
    assert "检查哪里有问题" in done.stdout


@pytest.mark.parametrize(
    ("wanted", "configured", "environment", "language"),
    [
        ("", "", {"LANG": "zh_CN.UTF-8"}, "zh"),
        ("", "", {"LANG": "de_DE.UTF-8"}, "en"),
        ("", "", {"LC_ALL": "zh_TW", "LANG": "en_GB"}, "zh"),
        ("", "zh", {"LANG": "en_GB"}, "zh"),
        ("en", "zh", {"LANG": "zh_CN"}, "en"),
        ("", "", {}, "en"),
    ],
)
def test_the_language_is_the_flags_then_the_settings_then_the_environments(
    home: Paths, wanted: str, configured: str, environment: dict[str, str], language: str
) -> None:
    if configured:
        home.make()
        home.config_file.write_text(f"assistant: {{language: {configured}}}\n")
    assert choose_language(wanted, environment) == language


def test_only_options_before_the_command_are_global() -> None:
    assert early_options(["--language", "zh", "--debug", "ask", "--home", "x"]) == {"--language": "zh", "--debug": ""}
    assert early_options(["--home=/a", "--language"]) == {"--home": "/a", "--language": ""}


@given(st.text())
def test_nothing_that_is_shown_can_drive_a_terminal(text: str) -> None:
    shown = clean(text)
    for character in shown:
        assert character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cs"}
        assert unicodedata.bidirectional(character) not in {"LRO", "RLO", "LRE", "RLE", "LRI", "RLI", "FSI"}
    plain = "".join(one for one in text if unicodedata.category(one) not in {"Cc", "Cs", "Cf"})
    assert all(one in shown for one in plain)


def test_a_narrow_terminal_never_loses_a_cell(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    shell = Shell("en")
    mail = "a.very.long.address.of.somebody@department.university.example"
    shell.table("profile", ("name", "email", "phone", "iban", "aliases"), [("王伟", mail, "+49", "DE89" * 5, "老王")])
    shown = re.sub(r"\s", "", capsys.readouterr().out)
    assert "DE89DE89" in shown
    assert "王伟" in shown


@pytest.mark.parametrize("word", ["plain", "with space", 'quo"te', "back\\slash", "100%", "$HOME", "中文"])
def test_a_word_of_a_unit_is_quoted_the_systemd_way(word: str) -> None:
    quoted = service.quoted(word)
    assert quoted.startswith('"')
    undone = quoted[1:-1].replace("%%", "%").replace("$$", "$").replace('\\"', '"').replace("\\\\", "\\")
    assert undone == word


def test_the_unit_says_what_the_daemon_needs(home: Paths) -> None:
    text = service.unit(home, {"ASSISTANT_HOME": "/home/mei/100% mine"})
    settings = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert settings["ExecStart"] == f'"{sys.executable}" "-m" "assistant" "daemon" "run"'
    assert settings["Environment"] == '"ASSISTANT_HOME=/home/mei/100%% mine"'
    assert (settings["Type"], settings["WatchdogSec"], settings["Restart"]) == ("notify", "30", "on-failure")
    assert (settings["UMask"], settings["RuntimeDirectory"]) == ("0077", "assistant")
    assert "@" not in text
    assert "Environment" not in service.unit(home, {})


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_accepts_the_unit(home: Paths, tmp_path: Path) -> None:
    file = tmp_path / "assistant.service"
    service.write(service.Manager("systemd", file), home)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", "--man=no", str(file)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "assistant" in line]
    assert (done.returncode, ours) == (0, [])


def test_the_launch_agent_is_a_property_list(home: Paths) -> None:
    agent = plistlib.loads(service.launch_agent(home, {"ASSISTANT_HOME": "/Users/mei/h"}))
    assert agent["ProgramArguments"][:2] == [sys.executable, "-m"]
    assert agent["EnvironmentVariables"] == {"ASSISTANT_HOME": "/Users/mei/h"}


def test_each_system_has_its_manager_or_says_that_it_has_none() -> None:
    assert service.manager_here("linux", {"XDG_CONFIG_HOME": "/c"}).file == Path("/c/systemd/user/assistant.service")
    assert service.manager_here("darwin", {"HOME": "/Users/mei"}).kind == "launchd"
    with pytest.raises(Unfit):
        service.manager_here("win32", {})


def test_the_service_is_installed_and_removed_even_where_no_manager_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(service, "_manager", lambda *command: None)
    assert CliRunner().invoke(app, ["service", "status"]).exit_code == 1
    for _ in range(2):
        result = CliRunner().invoke(app, ["service", "install"])
        assert result.exit_code == 0, result.output
    unit = tmp_path / "config" / "systemd" / "user" / "assistant.service"
    assert unit.read_text().count("ExecStart") == 1
    assert (unit.parent / "default.target.wants" / "assistant.service").resolve() == unit
    assert CliRunner().invoke(app, ["service", "status"]).exit_code == 0
    assert CliRunner().invoke(app, ["service", "uninstall"]).exit_code == 0
    assert not unit.exists()
    assert not (unit.parent / "default.target.wants" / "assistant.service").is_symlink()

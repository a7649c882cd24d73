"""Two versions of one event, shown on the command line and chosen between; the choice reaches the server."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from assistant.cli.main import app
from assistant.paths import find
from tests.support.davs import Machine, Others, event
from tests.support.servers.dav import Radicale

_serial = count(1)


class Case:
    def __init__(self, server: Radicale) -> None:
        user = server.user()
        url = server.calendar(user, f"choice{next(_serial)}", title="Team")
        self.others = Others(server.client(user), url)
        self.machine = Machine(find().data, server.account(user).model_copy(update={"caldav": url}), user.password)
        self.others.put("a.ics", event("a@x", "Lunch"))
        self.machine.sync()

    def quarrel(self) -> str:
        """Both change the title; the conflict's id."""
        file = self.machine.file("a@x")
        file.write_bytes(file.read_bytes().replace(b"Lunch", b"Mine"))
        self.others.change("a@x", "Lunch", "Theirs")
        self.machine.sync()
        return self.only()["id"]  # type: ignore[no-any-return]

    def only(self) -> dict[str, object]:
        (found,) = json.loads(run("account", "conflicts", "--json").stdout)["items"]
        return found  # type: ignore[no-any-return]

    def titles(self) -> list[str]:
        self.machine.sync()
        self.machine.sync()
        return sorted(text.partition("SUMMARY:")[2].split("\r\n")[0] for text in self.others.texts().values())


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def case(radicale: Radicale, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    return Case(radicale)


def test_both_versions_are_shown_with_what_differs(case: Case) -> None:
    case.quarrel()
    assert case.only()["differences"] == [{"name": "SUMMARY", "ours": "Mine", "theirs": "Theirs"}]
    shown = run("account", "conflicts").stdout
    assert "work/Team: Mine" in shown
    assert "On the server" in shown
    chinese = run("--language", "zh", "account", "conflicts", "work").stdout
    assert "“Mine”在本机和服务器上都改过" in chinese
    assert run("account", "conflicts", "other").stdout.startswith("There is nothing to choose")


@pytest.mark.parametrize(
    ("choice", "titles"), [("--ours", ["Mine"]), ("--theirs", ["Theirs"]), ("--both", ["Mine", "Theirs"])]
)
def test_the_choice_counts_here_and_there(case: Case, choice: str, titles: list[str]) -> None:
    number = case.quarrel()
    assert run("account", "settle", number, choice).exit_code == 0
    assert case.titles() == titles
    assert run("account", "conflicts", "--json").stdout == '{"items": []}\n'
    assert len(case.machine.notices) == 1


def test_a_choice_never_undoes_a_later_change(case: Case) -> None:
    number = case.quarrel()
    file = case.machine.file("a@x")
    file.write_bytes(file.read_bytes().replace(b"Theirs", b"Later"))
    refused = run("account", "settle", number, "--ours")
    assert refused.exit_code != 0
    assert "changed again since" in refused.stderr
    assert run("account", "settle", number, "--both").exit_code == 0
    assert case.titles() == ["Later", "Mine"]


@pytest.mark.parametrize(("choice", "left"), [("--ours", 0), ("--theirs", 1)])
def test_a_deletion_can_be_insisted_on(case: Case, choice: str, left: int) -> None:
    case.machine.file("a@x").unlink()
    case.others.change("a@x", "Lunch", "Theirs")
    case.machine.sync()
    assert run("account", "settle", str(case.only()["id"]), choice).exit_code == 0
    assert len(case.titles()) == left


def test_what_is_not_there_or_not_said_is_told(case: Case) -> None:
    assert "no open conflict" in run("account", "settle", "ffff", "--ours").stderr
    assert "--ours, --theirs or --both" in run("account", "settle", "ffff").stderr

"""`assistant profile` against a real daemon: what was learned, in the user's hands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from assistant.cli.main import app
from bench.form import Home

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    script = tmp_path_factory.mktemp("script") / "replies"
    script.write_text("reply: fine\n")
    with Home({"engine.model": f"scripted:{script}", "assistant.language": "en"}) as running:
        yield running


@pytest.fixture
def run(home: Home) -> Iterator[Run]:
    def call(*arguments: str, input: str | None = None) -> Result:
        result = CliRunner().invoke(app, list(arguments), input=input)
        assert "Traceback" not in result.output
        return result

    yield call
    call("profile", "forget", "--all", "--yes")


def known(run: Run, *options: str) -> dict[str, str]:
    """What `profile show` tells: sentence → number."""
    shown = json.loads(run("profile", "show", "--json", *options).stdout.splitlines()[-1])
    return {fact["told"]: fact["id"] for fact in shown["facts"]}


def test_what_was_said_is_shown_with_its_words_pinned_and_forgotten(run: Run, home: Home) -> None:
    run("ask", "remember that I'm allergic to zanzinuts")
    run("ask", "remember that we live in Kiel")
    facts = known(run)
    assert set(facts) == {"You are allergic to zanzinuts.", "You live in Kiel."}
    nuts = facts["You are allergic to zanzinuts."]
    assert "I'm allergic to zanzinuts" in run("profile", "why", nuts[:6]).stdout
    assert "您对zanzinuts过敏" in run("--language", "zh", "profile", "why", nuts).stdout
    assert run("profile", "pin", nuts).exit_code == 0
    assert "(pinned)" in run("profile", "show").stdout
    assert run("profile", "forget", nuts).exit_code == 0
    assert set(known(run)) == {"You live in Kiel."}
    files = [file for file in Path(home.paths.data).rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if b"zanzinuts" in file.read_bytes()]


def test_what_held_before_is_kept_until_it_is_taken_back(run: Run) -> None:
    run("ask", "remember that we live in Bonn")
    run("ask", "remember that we moved to Kiel")
    assert set(known(run)) == {"You live in Kiel."}
    assert set(known(run, "--all")) == {"You live in Kiel.", "You live in Bonn."}
    assert known(run, "--as-of", "2001-01-01") == {}
    assert "no longer: You live in Bonn." in run("profile", "history").stdout
    assert run("profile", "undo").exit_code == 0
    assert set(known(run, "--all")) == {"You live in Bonn."}


def test_numbers_that_mean_nothing_forget_nothing(run: Run) -> None:
    run("ask", "remember that we live in Bonn")
    [number] = known(run).values()
    for wrong in (["nothing"], [""], [number, "nothing"], []):
        result = run("profile", "forget", *wrong)
        assert result.exit_code != 0, wrong
        assert set(known(run)) == {"You live in Bonn."}
    assert run("profile", "forget", "--all", input="n\n").exit_code == 0
    assert set(known(run)) == {"You live in Bonn."}
    assert run("profile", "why", "nothing").exit_code != 0
    assert run("profile", "show", "--as-of", "some day").exit_code != 0


def test_what_says_the_same_is_put_together_and_taken_apart_by_its_name(run: Run) -> None:
    run("ask", "remember that I like cats")
    run("ask", "remember that I like cat")
    tidied = run("profile", "tidy").stdout
    batch = re.search(r"night:\S+?(?=`)", tidied)
    assert batch
    assert set(known(run)) == {"You like cats."}
    assert f"You like cat. = You like cats. [{batch[0]}]" in run("profile", "history").stdout
    assert "(says the same as another)" in run("profile", "show", "--all").stdout
    assert run("profile", "undo", batch[0]).exit_code == 0
    assert set(known(run)) == {"You like cats.", "You like cat."}
    assert "twice" in run("profile", "tidy").stdout


def test_a_habit_is_shown_with_how_it_is_known_and_forgotten_for_good(run: Run, home: Home) -> None:
    for item in ("nails", "screws", "glue"):
        run("ask", f"add {item} to my hardwarezz list")
    shown = run("profile", "show").stdout
    told = re.search(r"(h\w{5})  To write a note down: which list, usually hardwarezz \(3 of 3 times\)", shown)
    assert told, shown
    assert "hardwarezz（3次中3次）" in run("--language", "zh", "profile", "show").stdout
    assert run("profile", "forget", told[1]).exit_code == 0
    assert "hardwarezz" not in run("profile", "show").stdout
    assert run("profile", "forget", told[1]).exit_code != 0

"""Skills without code: declared from the contract, understood, and refused before anything is asked for or written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from assistant.cli.main import app
from assistant.memory.users import read_user
from assistant.paths import find
from assistant.resources import bundled
from assistant.skillkit import Context, NotConfigured
from assistant.skillkit.loader import Skills, load
from assistant.skillkit.manifest import read_manifest
from assistant.skillkit.outside import catalogue_of
from assistant.skillkit.problems import Fault, SkillProblem
from assistant.skillkit.schema import Argument, from_contract, from_function
from assistant.skillkit.testing import call, make_context
from tests.support.fake_daemon import FakeDaemon, serving
from tests.support.talk import Talk, talking

CONTRACT: dict[str, dict[str, Any]] = YAML(typ="safe").load(
    Path(__file__).with_name("tool_contract.yaml").read_text(encoding="utf-8")
)
MANIFEST = """\
name: demo
version: 0.1.0
api: 1
planned: true
description: {en: A demo., zh: 演示。}
tools:
  find: {effect: read, doc: Find., args: {what: str}}
  pay: {effect: money, sensitive: [to], doc: Pay., args: {to: str, amount: money}}
"""
PLANNED = sorted(
    folder.parent.name for folder in bundled("skills").glob("*/skill.yaml") if "planned: true" in folder.read_text()
)


def write(folder: Path, manifest: str = MANIFEST) -> Path:
    skill = folder / "demo"
    skill.mkdir()
    (skill / "skill.yaml").write_text(manifest, encoding="utf-8")
    return skill


@pytest.fixture(scope="module")
def skills() -> Skills:
    loaded = Skills()
    loaded.load_bundled(bundled("skills"), {})
    assert not loaded.problems
    return loaded


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talking(tmp_path / "home", read_user(bundled("profile") / "sample.yaml")) as made:
        yield made


@pytest.mark.parametrize("skill", sorted(CONTRACT))
def test_every_skill_keeps_the_contract(skills: Skills, skill: str) -> None:
    if not (bundled("skills") / skill / "skill.yaml").exists():
        pytest.skip("this skill does not exist yet")
    loaded = skills.loaded[skill].tools
    for name, wanted in CONTRACT[skill].items():
        declaration, schema = loaded[name].declaration, loaded[name].schema
        assert declaration.effect == wanted["effect"], name
        assert set(declaration.sensitive) >= set(wanted.get("sensitive", [])), name  # more care is free
        assert declaration.outward_if == wanted.get("outward_if"), name
        offered = {one.name: contract_type(one) for one in schema.arguments}
        assert offered | wanted["args"] == offered, name
        assert all(kind.endswith("?") for extra, kind in offered.items() if extra not in wanted["args"]), name


def contract_type(argument: Argument) -> str:
    """As the contract writes it, where a choice of words is a text."""
    return argument.type.replace("choice", "str") + ("" if argument.required else "?")


def test_a_schema_from_the_contract_is_that_of_the_same_function() -> None:
    async def tool(
        ctx: Context,
        to: list[str],
        text: str,
        count: int,
        whole: bool,
        amount: Decimal,
        day: date | None = None,
        at: datetime | None = None,
        length: timedelta | None = None,
        copies: list[str] | None = None,
    ) -> None:
        """Do it."""

    args = {"to": "list[str]", "text": "str", "count": "int", "whole": "bool", "amount": "money"}
    args |= {"day": "date?", "at": "datetime?", "length": "duration?", "copies": "list[str]?"}
    made, wanted = from_contract("demo.tool", args, "Do it."), from_function("demo.tool", tool)
    assert made == wanted
    assert made.json_schema == wanted.json_schema


@pytest.mark.parametrize("kind", ["number", "list[str", "list[list[str]]", "choice", "?", "", "str??"])
def test_a_type_that_there_is_not_is_refused(kind: str) -> None:
    with pytest.raises(Fault, match="argument_type"):
        from_contract("demo.tool", {"what": kind}, "Do it.")


def test_a_planned_tool_must_say_what_it_is_for(tmp_path: Path) -> None:
    with pytest.raises(SkillProblem, match="no_description"):
        load(write(tmp_path, MANIFEST.replace("doc: Find., ", "")))


def test_what_is_watched_or_looked_up_must_exist_in_a_plan_too(tmp_path: Path) -> None:
    with pytest.raises(SkillProblem, match="no_such_argument"):
        load(write(tmp_path, MANIFEST.replace("[to]", "[iban]")))
    (tmp_path / "other").mkdir()
    with pytest.raises(SkillProblem, match="lookup_tool"):
        load(write(tmp_path / "other", MANIFEST + "lookups: {to: {tool: search, by: [what], field: id}}\n"))


def test_a_skill_with_code_declares_no_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="planned"):
        read_manifest(write(tmp_path, MANIFEST.replace("planned: true\n", "")))


def test_only_the_programs_own_skills_are_planned(tmp_path: Path) -> None:
    skills = Skills()
    folder = write(tmp_path)
    skills.load_bundled(tmp_path, {})
    assert skills.planned("demo")
    assert not skills.planned("email")
    skills.known["demo"] = skills.known["demo"].__class__(read_manifest(folder), folder, bundled=False, enabled=True)
    assert not skills.planned("demo")


@pytest.mark.parametrize(("language", "ending"), [("en", "there yet: nothing was done."), ("zh", "什么也没有执行。")])
@pytest.mark.parametrize("skill", PLANNED)
def test_each_tool_of_a_planned_skill_refuses_in_both_languages(skill: str, language: str, ending: str) -> None:
    folder = bundled("skills") / skill
    catalogue = catalogue_of(folder, skill)
    for name, tool in load(folder).tools.items():
        args = {one.name: example(one) for one in tool.schema.arguments if one.required}
        with pytest.raises(NotConfigured) as refusal:
            call(folder, name, make_context(folder, language=language), **args)
        said, _ = catalogue.explain(refusal.value, language)
        assert said.endswith(ending)
        assert "{" not in said


def example(argument: Argument) -> Any:
    return {"money": "25.00", "date": "2026-12-01"}.get(argument.type, "x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("send 25 euros to Bob", "Banking isn't there yet: nothing was done."),
        ("how much money do I have", "Banking isn't there yet: nothing was done."),
        ("我的余额是多少", "银行功能还没有做好，什么也没有执行。"),
        ("取消去杭州的行程", "旅行功能还没有做好，什么也没有执行。"),
    ],
)
async def test_acting_on_one_asks_for_no_yes_and_leaves_no_deed(talk: Talk, text: str, said: str) -> None:
    plan = await talk.services.conversation.plan(text)
    assert (plan.kind, plan.via) == ("call", "intent")
    events = await talk.say(text)
    assert next(event for event in events if event.type == "error").message == said
    assert not talk.services.approvals.pending("s")
    assert not [entry for entry in talk.services.audit.entries() if entry.kind in ("action", "receipt")]


async def test_what_was_looked_up_for_it_is_not_run_either(talk: Talk) -> None:
    plan = await talk.services.conversation.plan("book me the cheapest flight from Berlin to Munich next Monday")
    assert [call.tool for call in plan.calls] == ["travel.search_flights", "travel.book"]
    assert plan.calls[1].args["offer_id"] == {"$from": 0, "field": "offer_id"}
    events = await talk.say("book me the cheapest flight from Berlin to Munich next Monday")
    assert [event.tool for event in events if event.type == "tool-started"] == ["travel.search_flights"]


def test_the_list_shows_what_is_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    fake = FakeDaemon()
    row = {"name": "banking", "version": "1", "source": "bundled", "description": "x", "tools": []}
    fake.skills = [row | {"enabled": True, "planned": True}, row | {"name": "mine", "enabled": False, "planned": True}]
    with serving(fake, find().socket):
        lines = CliRunner().invoke(app, ["skills", "list"]).stdout.splitlines()
    assert "planned" in next(line for line in lines if "banking" in line)
    assert "off" in next(line for line in lines if "mine" in line)

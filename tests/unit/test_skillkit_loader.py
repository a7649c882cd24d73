"""Bundled skills: loaded, checked, called; a broken one is reported and the others run."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.config import SkillSettings
from assistant.errors import AskAgain, ConfigError, NotConfigured, NotFound, Rejected, SkillFailed, WorkerDied
from assistant.locale.catalogue import LANGUAGES, Catalogue
from assistant.models import Operation, OutboxState, Prepared
from assistant.skillkit import Context, Result, Uncertain
from assistant.skillkit.guard import guarded
from assistant.skillkit.loader import Skills, Tool, load
from assistant.skillkit.manifest import RESERVED, read_manifest
from assistant.skillkit.outside import outside_context
from assistant.skillkit.problems import SkillProblem
from assistant.skillkit.testing import NOW

CATALOGUE = Catalogue()
MANIFEST = """\
name: demo
version: 0.1.0
api: 1
description: {en: A demo., zh: 演示。}
tools:
  add: {effect: write}
  send: {effect: outward, sensitive: [to]}
  invite: {effect: write, outward_if: guests}
  fail: {effect: read}
lookups:
  to: {tool: fail, by: [how], field: id}
settings:
  limit: {type: int, default: 3, description: {en: x, zh: x}}
"""
CODE = '''\
from __future__ import annotations

from assistant.errors import WorkerDied
from assistant.skillkit import *
from assistant.skillkit import AskAgain, Context, NotFound, Prepared, Result, Uncertain, commit, fires, reconcile
from assistant.skillkit import starts, tool, undo

from .part import GREETING

seen = []


@tool
async def add(ctx: Context, text: str, days: list[str] | None = None) -> Result:
    """Add."""
    return Result(text=f"{GREETING} {text} {ctx.settings['limit']}", undo={"text": text})


@undo("add")
async def take_back(ctx: Context, record):
    return Result(text=f"gone {record['text']}")


@tool
async def send(ctx: Context, to: str) -> Prepared:
    """Send."""
    return Prepared(title="Send", payload={"to": to}) if to != "at once" else Result(text="sent")


@tool
async def invite(ctx: Context, title: str, guests: list[str] | None = None):
    """Invite."""
    return Prepared(title=title, payload={}) if title == "prepared" else Result(text=title)


@commit("send", "invite")
async def leave(ctx, operation):
    if operation.id == "doubt":
        raise Uncertain("who knows")
    return 7


@reconcile("send")
async def look(ctx, operation):
    return None


@tool
async def fail(ctx: Context, how: str) -> Result:
    """Fail.

    how: in which way
    """
    if how == "ask":
        raise AskAgain(missing=["how"])
    if how == "lost":
        raise NotFound(what="it")
    if how == "engine":
        raise WorkerDied(reason="x")
    if how == "uncertain":
        raise Uncertain("x")
    if how == "json":
        return Result(text="", data={1, 2})
    if how == "nothing":
        return None
    raise RuntimeError("secret detail")


@starts
async def begin(ctx):
    seen.append("started")


@fires
async def due(ctx, scheduled):
    seen.append(scheduled)
'''


@pytest.fixture(autouse=True)
def _forget_skills_of_other_tests() -> Iterator[None]:
    yield
    for name in [one for one in sys.modules if one.startswith("assistant_skills.")]:
        del sys.modules[name]


def write(folder: Path, manifest: str = MANIFEST, code: str = CODE, name: str = "demo") -> Path:
    skill = folder / name
    skill.mkdir(parents=True)
    (skill / "skill.yaml").write_text(manifest.replace("name: demo", f"name: {name}"), encoding="utf-8")
    (skill / "__init__.py").write_text(code, encoding="utf-8")
    (skill / "part.py").write_text("GREETING = 'added'\n", encoding="utf-8")
    return skill


def context(**settings: Any) -> Context:
    return outside_context(
        "demo",
        catalogue=CATALOGUE,
        folder=Path(),
        language="en",
        now=NOW,
        zone=NOW.tzinfo,  # type: ignore[arg-type]
        settings=settings or {"limit": 3},
    )


def operation(name: str = "send", identity: str = "op") -> Operation:
    return Operation(
        id=identity,
        tool=f"demo.{name}",
        prepared=Prepared(title="x", payload={}),
        state=OutboxState.SENDING,
        created_at=NOW,
        release_at=NOW,
    )


def skills_of(folder: Path, **chosen: SkillSettings) -> Skills:
    skills = Skills()
    skills.load_bundled(folder, chosen)
    return skills


async def test_a_bundled_skill_is_loaded_and_its_tools_called(tmp_path: Path) -> None:
    write(tmp_path)
    skills = skills_of(tmp_path, demo=SkillSettings(settings={"limit": 5}))
    assert skills.problems == []
    assert [tool.name for tool in skills.tools()] == ["demo.add", "demo.send", "demo.invite", "demo.fail"]
    tool: Tool = skills.tool("demo.add")
    assert tool.trusted
    assert skills.settings("demo") == {"limit": 5}
    assert skills.lookups("demo")["to"][0].tool == "fail"
    result = await tool.run(context(**skills.settings("demo")), {"text": "milk"})
    assert result == Result(text="added milk 5", undo={"text": "milk"})
    assert (await tool.undo(context(), {"text": "milk"})).text == "gone milk"
    assert sys.modules["assistant_skills.demo.part"].__name__ == "assistant_skills.demo.part"


async def test_what_reaches_somebody_is_prepared_and_then_committed(tmp_path: Path) -> None:
    write(tmp_path)
    send = skills_of(tmp_path).tool("demo.send")
    assert isinstance(await send.run(context(), {"to": "anna"}), Prepared)
    assert await send.commit(context(), operation()) == "7"
    assert await send.reconcile(context(), operation()) is None
    with pytest.raises(Uncertain, match="who knows"):
        await send.commit(context(), operation(identity="doubt"))


@pytest.mark.parametrize(
    ("tool", "args"),
    [("send", {"to": "at once"}), ("invite", {"title": "x", "guests": ["anna"]}), ("fail", {"how": "nothing"})],
)
async def test_a_tool_that_does_not_do_what_its_effect_says_is_a_bug(
    tmp_path: Path, tool: str, args: dict[str, Any]
) -> None:
    write(tmp_path)
    with pytest.raises(SkillFailed) as bug:
        await skills_of(tmp_path).tool(f"demo.{tool}").run(context(), args)
    assert bug.value.code == "skill.bug"


async def test_a_write_may_find_out_that_it_reaches_somebody_only_if_it_says_so(tmp_path: Path) -> None:
    write(tmp_path)
    invite = skills_of(tmp_path).tool("demo.invite")
    assert isinstance(await invite.run(context(), {"title": "alone"}), Result)
    assert isinstance(await invite.run(context(), {"title": "prepared"}), Prepared)


@pytest.mark.parametrize(
    ("how", "kind", "code"),
    [
        ("ask", AskAgain, "ask.missing"),
        ("lost", NotFound, "skill.not_found"),
        ("engine", WorkerDied, "engine.worker_died"),
        ("uncertain", SkillFailed, "skill.bug"),
        ("json", SkillFailed, "skill.bug"),
        ("crash", SkillFailed, "skill.bug"),
    ],
)
async def test_a_tool_fails_in_known_ways_and_everything_else_is_a_bug_told_without_details(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str, kind: type[Exception], code: str
) -> None:
    write(tmp_path)
    with pytest.raises(kind) as failure:
        await skills_of(tmp_path).tool("demo.fail").run(context(), {"how": how})
    assert failure.value.code == code  # type: ignore[attr-defined]
    assert "secret detail" not in str(failure.value)
    assert ("secret detail" in caplog.text) == (how == "crash")


async def test_what_has_no_undo_or_no_reconcile_says_so(tmp_path: Path) -> None:
    write(tmp_path)
    skills = skills_of(tmp_path)
    with pytest.raises(Rejected) as refused:
        await skills.tool("demo.invite").undo(context(), {})
    assert refused.value.code == "skillkit.no_undo"
    with pytest.raises(Uncertain):
        await skills.tool("demo.invite").reconcile(context(), operation("invite"))


@pytest.mark.parametrize("leaves", [SystemExit(1), RuntimeError("x")])
async def test_code_that_would_end_the_process_is_a_bug_like_any_other(leaves: BaseException) -> None:
    async def tool() -> None:
        raise leaves

    with pytest.raises(SkillFailed) as bug:
        await guarded("demo.add", tool())
    assert bug.value.code == "skill.bug"


async def test_a_setting_that_is_missing_is_told_with_its_mend_and_anything_else_as_it_is() -> None:
    async def lacks(what: str) -> None:
        raise NotConfigured(what=what)

    with pytest.raises(NotConfigured) as setting:
        await guarded("demo.add", lacks("skills.demo.settings.limit"))
    assert "assistant config set skills.demo.settings.limit" in CATALOGUE.explain(setting.value, "zh")[1]
    with pytest.raises(NotConfigured) as other:
        await guarded("demo.add", lacks("the printer"))
    assert CATALOGUE.explain(other.value, "en") == ("the printer is not set up yet.", "")


@pytest.mark.parametrize(
    ("before", "after", "code", "line", "words"),
    [
        ("version: 0.1.0\n", "", "missing", 1, "version is missing"),
        ("version: 0.1.0", "version: 0.1", "text", 2, "version must be a text"),
        ("api: 1", "api: one", "whole_number", 3, "api must be a whole number, not “one”"),
        ("api: 1", "api: 2", "api", 3, "version 2 of the skill kit"),
        ("description: {", "descripton: {", "unknown_key_near", 4, "there is no key descripton"),
        ("description: {en: A demo., zh: 演示。}", "description: A demo.", "mapping", 4, "description must consist of"),
        ("add: {effect: write}", "add: {efect: write}", "unknown_key_near", 6, "no key tools.add.efect"),
        ("add: {effect: write}", "add: {}", "missing", 6, "tools.add.effect is missing"),
        ("add: {effect: write}", "add: {effect: writes}", "choice", 6, "tools.add.effect can't be “writes”"),
        ("sensitive: [to]", "sensitive: to", "list", 7, "tools.send.sensitive must be a list"),
        ("by: [how]", "by: how", "list", 11, "lookups.to.0.by must be a list"),
        ("fail: {effect: read}", "fail: {effect: read, doc: x}", "not_planned", 1, "the tool fail has `doc`"),
        ("settings:", "nonsense: 1\nsettings:", "unknown_key", 12, "there is no key nonsense"),
        ("  limit: {type: int", "  limit: {type: number", "choice", 13, "settings.limit.type can't be “number”"),
        ("tools:", "tools: [", "not_yaml", 7, "this is not YAML"),
        ("name: demo", "name: class", "python_name", 1, "“class” is a word of Python's own"),
        ("name: demo", "name: conversation", "reserved_name", 1, "a part of the assistant"),
        ("name: demo", "name: De mo", "bad_name", 1, "“De mo” can't be the name"),
    ],
)
def test_a_mistake_in_a_manifest_is_told_in_plain_words_with_its_line(
    tmp_path: Path, before: str, after: str, code: str, line: int, words: str
) -> None:
    assert before in MANIFEST
    (tmp_path / "skill.yaml").write_text(MANIFEST.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as problem:
        read_manifest(tmp_path)
    assert problem.value.code == f"skillkit.manifest.{code}"
    message, mend = CATALOGUE.explain(problem.value, "en")
    assert f"skill.yaml, line {line}: " in message
    assert words in message
    for said in (message, mend, *CATALOGUE.explain(problem.value, "zh")):
        assert said
        assert not re.search(r"\{\w+\}|Input|valid dictionary", said)


def test_no_skill_can_have_the_name_of_a_part_of_the_catalogue() -> None:
    assert {key.partition(".")[0] for key in CATALOGUE.keys("en")} <= RESERVED


async def test_starts_and_fires_reach_the_skill(tmp_path: Path) -> None:
    skill = load(write(tmp_path))
    await skill.start(context())
    await skill.fire(context(), "due")
    assert sys.modules["assistant_skills.demo"].seen == ["started", "due"]


def test_an_unknown_tool_is_told(tmp_path: Path) -> None:
    write(tmp_path)
    skills = skills_of(tmp_path)
    for name in ("demo.nothing", "nothing.add", "demo", ""):
        with pytest.raises(NotFound):
            skills.tool(name)


@pytest.mark.parametrize(
    ("manifest", "code", "problem"),
    [
        ({"version: 0.1.0\n": ""}, {}, "skillkit.manifest.missing"),
        ({"api: 1": "api: 99"}, {}, "skillkit.manifest.api"),
        ({"tools:": "tools: ["}, {}, "skillkit.manifest.not_yaml"),
        ({"name: demo": "name: other"}, {}, "skillkit.name_differs"),
        ({}, {"from .part import GREETING": "from .nowhere import GREETING"}, "skillkit.import_failed"),
        ({}, {"seen = []": "seen = ["}, "skillkit.import_failed"),
        ({}, {"seen = []": "raise SystemExit(1)"}, "skillkit.import_failed"),
        ({"add: {": "plus: {"}, {}, "skillkit.tool_without_function"),
        ({"  add: {effect: write}\n": ""}, {'@undo("add")': "@undo()"}, "skillkit.function_without_tool"),
        ({}, {'@undo("add")': '@undo("plus")'}, "skillkit.handler_without_tool"),
        ({}, {'@commit("send", "invite")': '@commit("invite")'}, "skillkit.no_commit"),
        ({}, {'@commit("send", "invite")': '@commit("send")'}, "skillkit.no_commit"),
        ({"sensitive: [to]": "sensitive: [whom]"}, {}, "skillkit.no_such_argument"),
        ({"outward_if: guests": "outward_if: people"}, {}, "skillkit.no_such_argument"),
        ({"by: [how]": "by: [why]"}, {}, "skillkit.no_such_argument"),
        ({"{tool: fail,": "{tool: find,"}, {}, "skillkit.lookup_tool"),
        ({}, {"async def add": "def add"}, "skillkit.not_async"),
        ({}, {'@reconcile("send")': '@commit("send")'}, "skillkit.two_handlers"),
        ({}, {"@fires": "@starts"}, "skillkit.two_handlers"),
        ({}, {'    """Add."""\n': ""}, "skillkit.no_description"),
        ({}, {"text: str, days": "text: object, days"}, "skillkit.argument_type"),
        ({"type: int, default: 3": "type: int, default: x"}, {}, "skillkit.setting_int"),
    ],
)
def test_a_broken_skill_is_reported_in_both_languages_and_the_others_run(
    tmp_path: Path, manifest: dict[str, str], code: dict[str, str], problem: str
) -> None:
    texts = [MANIFEST, CODE]
    for index, changes in enumerate((manifest, code)):
        for before, after in changes.items():
            assert before in texts[index]
            texts[index] = texts[index].replace(before, after, 1)
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "skill.yaml").write_text(texts[0], encoding="utf-8")
    (folder / "__init__.py").write_text(texts[1], encoding="utf-8")
    (folder / "part.py").write_text("GREETING = ''\n", encoding="utf-8")
    write(tmp_path, name="sound")
    skills = skills_of(tmp_path)
    assert [one.code for one in skills.problems] == [problem]
    assert skills.problems[0].name == "demo"
    for language in LANGUAGES:
        message, mend = CATALOGUE.explain(skills.problems[0], language)
        assert "demo" in message
        assert mend
        assert not re.search(r"\{\w+\}", message + mend)
    assert {tool.skill for tool in skills.tools()} == {"sound"}
    assert "assistant_skills.demo" not in sys.modules


def test_a_fault_in_the_code_names_its_file_and_line(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "part.py").write_text("\n\nGREETING = 1 / 0\n", encoding="utf-8")
    with pytest.raises(SkillProblem) as problem:
        load(folder)
    assert "part.py, line 3" in CATALOGUE.explain(problem.value, "en")[0]


def test_the_same_name_twice_names_both_folders_and_the_first_is_used(tmp_path: Path) -> None:
    first, second = write(tmp_path / "one"), write(tmp_path / "two")
    skills = skills_of(tmp_path / "one")
    skills.load_bundled(tmp_path / "two", {})
    message, _ = CATALOGUE.explain(skills.problems[0], "en")
    assert str(first) in message
    assert str(second) in message
    assert skills.loaded["demo"].folder == first


def test_a_skill_is_on_as_its_manifest_says_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, MANIFEST + "enabled: false\n", name="shy")
    assert set(skills_of(tmp_path).loaded) == {"demo"}
    chosen = {"demo": SkillSettings(enabled=False), "shy": SkillSettings(enabled=True)}
    assert set(skills_of(tmp_path, **chosen).loaded) == {"shy"}
    assert set(skills_of(tmp_path, **chosen).known) == {"demo", "shy"}


def test_settings_of_a_skill_that_is_nowhere_are_told(tmp_path: Path) -> None:
    write(tmp_path)
    skills = skills_of(tmp_path)
    skills.report_unknown(["demo", "dmeo"], tmp_path / "config.yaml")
    assert [(one.name, one.code) for one in skills.problems] == [("dmeo", "skillkit.unknown_skill")]


def test_a_folder_that_is_not_there_has_no_skills(tmp_path: Path) -> None:
    assert skills_of(tmp_path / "none").tools() == ()

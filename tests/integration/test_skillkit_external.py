"""A skill that is not bundled, in its real host process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from mcp import Client, StdioServerParameters

from assistant.config import SkillSettings
from assistant.errors import AskAgain, NotConfigured, NotFound, Rejected, SkillFailed
from assistant.locale.catalogue import Catalogue, read
from assistant.models import Label, Operation, OutboxState, Prepared
from assistant.sandbox.machine import Kind
from assistant.skillkit import Context, Result, Uncertain
from assistant.skillkit.external import ExternalSkill, describe
from assistant.skillkit.loader import Skills, folders_in
from assistant.skillkit.manifest import read_manifest
from assistant.skillkit.outside import outside_context
from assistant.skillkit.process import Lost
from assistant.skillkit.scaffold import new_skill
from assistant.skillkit.sources import find_external
from tests.support.skills import Ledger, paths_of, say_yes

CATALOGUE = Catalogue()
NOW = datetime(2026, 5, 9, 10, 0, tzinfo=ZoneInfo("Europe/Berlin"))
ON = SkillSettings(enabled=True)

MANIFEST = """\
name: probe
version: 0.1.0
api: 1
description: {en: Misbehaves on demand., zh: 按需出错。}
tools:
  say: {effect: read, returns: tool}
  die: {effect: read}
  hang: {effect: read}
  flood: {effect: read}
  bug: {effect: read}
  odd: {effect: read}
  leave: {effect: read}
  wrong: {effect: read}
  at_once: {effect: outward}
  secret: {effect: read}
  send: {effect: outward, sensitive: [to]}
permissions: {network: ["example.org:443"], files: [], secrets: []}
settings:
  mood: {type: str, default: calm, description: {en: Its mood., zh: 心情。}}
"""
CODE = '''\
from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any, Literal

from assistant.skillkit import (
    AskAgain, Context, NotConfigured, NotFound, Operation, Prepared, PreviewField, Result, Uncertain, commit, reconcile,
    tool,
)

STARTED = time.monotonic_ns()
print("printed while it loads")
os.write(1, b"written to the descriptor while it loads\\n")


@tool
async def say(ctx: Context, what: Literal["hello", "environment", "ask", "missing", "print", "steer"]) -> Result:
    """Say something.

    what: what to say
    """
    if what == "ask":
        raise AskAgain(missing=["what"], choices=["hello"])
    if what == "missing":
        raise NotFound(what="the moon")
    if what == "print":
        print("noise on stdout", flush=True)
        os.write(1, b"noise on the descriptor\\n")
    if what == "steer":
        return Result(text="a\\x1b[2Jb\\u202ec")
    if what == "environment":
        return Result(text="environment", data=dict(os.environ))
    return Result(
        text=f"{ctx.language} {ctx.now.isoformat()} {ctx.settings['mood']} {ctx.operation}",
        data={"zone": ctx.zone.key, "user": ctx.user.name, "folder": str(ctx.folder), "started": STARTED},
    )


@tool
async def die(ctx: Context) -> Result:
    """End the process."""
    os._exit(9)


@tool
async def hang(ctx: Context) -> Result:
    """Never come back."""
    time.sleep(3600)
    return Result(text="")


@tool
async def flood(ctx: Context) -> Result:
    """Say too much."""
    return Result(text="x" * 3_000_000)


@tool
async def bug(ctx: Context) -> Result:
    """Have a bug."""
    return Result(text=str(1 // 0))


@tool
async def odd(ctx: Context) -> Result:
    """Give back what is no JSON."""
    return Result(text="", data=float("nan"))


@tool
async def leave(ctx: Context, how: Literal["here", "in a task"]) -> Result:
    """End the process the usual way.

    how: where
    """
    if how == "here":
        sys.exit(2)
    return await asyncio.create_task(exits())


async def exits():
    raise SystemExit("enough")


@tool
async def wrong(ctx: Context, how: Literal["text", "key", "setting"]) -> Result:
    """Do it wrong.

    how: in which way
    """
    if how == "setting":
        raise NotConfigured(what="skills.probe.settings.mood")
    return "just a text" if how == "text" else Result(text=ctx.text("probe.nowhere"))


@tool
async def at_once(ctx: Context) -> Result:
    """Send something without asking."""
    return Result(text="sent")


@commit("at_once")
async def never(ctx: Context, operation: Operation) -> str:
    return ""


@tool
async def secret(ctx: Context) -> Result:
    """Ask for a secret."""
    return Result(text=str(await ctx.secrets.get("mail")))


@tool
async def send(ctx: Context, to: str) -> Prepared:
    """Send something.

    to: whom
    """
    field = PreviewField(name="To", value=to, origin={"label": "user"})
    return Prepared(title="Send", fields=(field,), payload={"to": to})


@commit("send")
async def really_send(ctx: Context, operation: Operation) -> str:
    if operation.prepared.payload["to"] == "nobody":
        os._exit(9)
    if operation.prepared.payload["to"] == "doubt":
        raise Uncertain("no answer came")
    return f"sent-{operation.id}"


@reconcile("send")
async def look(ctx: Context, operation: Operation) -> str | None:
    return None if operation.prepared.payload["to"] == "nobody" else "found"
'''


def write_skill(folder: Path, manifest: str = MANIFEST, code: str = CODE) -> Path:
    folder.mkdir(parents=True)
    (folder / "skill.yaml").write_text(manifest, encoding="utf-8")
    (folder / "__init__.py").write_text(code, encoding="utf-8")
    return folder


def found(home: Path, **chosen: SkillSettings) -> Skills:
    skills, paths = Skills(), paths_of(home)
    say_yes(paths, folders_in(paths.skills))
    find_external(skills, paths, chosen, data=paths.data / "skill-data", world=Ledger().world())
    return skills


@asynccontextmanager
async def running(home: Path, **chosen: SkillSettings) -> AsyncIterator[Skills]:
    skills = found(home, **chosen)
    try:
        await skills.prepare()
        yield skills
    finally:
        await skills.aclose()


def context_for(skill: str, settings: Any = None, **more: Any) -> Context:
    return outside_context(
        skill,
        catalogue=CATALOGUE,
        folder=Path(),
        language=more.pop("language", "en"),
        now=NOW,
        zone=ZoneInfo("Europe/Berlin"),
        settings=settings or {},
        **more,
    )


def operation_for(prepared: Prepared) -> Operation:
    at = datetime(2026, 5, 9, tzinfo=UTC)
    return Operation(
        id="op1", tool="probe.send", prepared=prepared, state=OutboxState.SENDING, created_at=at, release_at=at
    )


def pid_of(skills: Skills) -> int:
    skill = skills.loaded["probe"]
    assert isinstance(skill, ExternalSkill)
    assert skill.host.pid is not None
    return skill.host.pid


def probe(home: Path) -> Path:
    return write_skill(paths_of(home).skills / "probe")


async def test_a_scaffolded_skill_runs_for_real_once_it_is_enabled(tmp_path: Path) -> None:
    new_skill("weather_diary", paths_of(tmp_path).skills)
    async with running(tmp_path, weather_diary=ON) as skills:
        assert skills.problems == []
        add, find = skills.tool("weather_diary.add"), skills.tool("weather_diary.find")
        assert (add.trusted, add.declaration.effect, add.schema.required) == (False, "write", ("text",))
        ctx = context_for("weather_diary", {"limit": 10}, language="zh")
        added = await add.run(ctx, {"text": "下雪了", "when": "2026-05-01"})
        assert isinstance(added, Result)
        assert added.text == "已记下：下雪了"
        found = await find.run(ctx, {"query": "雪"})
        assert isinstance(found, Result)
        assert found.data["items"][0]["day"] == "2026-05-01"
        await add.undo(ctx, dict(added.undo or {}))
        gone = await find.run(ctx, {})
        assert isinstance(gone, Result)
        assert gone.data == {"items": []}
        with pytest.raises(NotFound) as failure:
            await add.undo(ctx, dict(added.undo or {}))
        assert CATALOGUE.explain(failure.value, "zh")[0] == "找不到这个条目。"
        assert set(read(skills.sentence_files()[0])) == {"en", "zh"}


async def test_a_skill_that_is_not_enabled_is_known_but_not_run(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path) as skills:
        assert [known.enabled for known in skills.known.values()] == [False]
        assert skills.tools() == ()


async def test_the_host_gets_the_context_and_nothing_of_the_daemons_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe(tmp_path)
    monkeypatch.setenv("ASSISTANT_TOKEN", "hunter2")
    async with running(tmp_path, probe=ON) as skills:
        say = skills.tool("probe.say")
        ctx = context_for("probe", {"mood": "sad"}, operation="op7")
        said = await say.run(ctx, {"what": "hello"})
        assert isinstance(said, Result)
        assert said.text == "en 2026-05-09T10:00:00+02:00 sad op7"
        assert said.data["zone"] == "Europe/Berlin"
        assert said.data["user"] == ""
        assert said.data["folder"] == str(tmp_path / "data" / "skill-data" / "probe")
        skill = skills.loaded["probe"]
        assert isinstance(skill, ExternalSkill)
        assert skill.host.pid not in (None, os.getpid())
        seen = await say.run(ctx, {"what": "environment"})
        assert isinstance(seen, Result)
        assert set(seen.data) - {"LC_CTYPE", "PWD"} == set(skill.host.cage.environment())
        assert "hunter2" not in str(seen.data)


async def test_what_a_skill_prints_does_not_break_the_pipe(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        said = await skills.tool("probe.say").run(context_for("probe"), {"what": "print"})
        assert isinstance(said, Result)
        assert said.data["zone"] == "Europe/Berlin"


async def test_errors_of_a_skill_keep_their_kind_and_their_sentence(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        say = skills.tool("probe.say")
        ctx = context_for("probe")
        with pytest.raises(AskAgain) as asked:
            await say.run(ctx, {"what": "ask"})
        assert (asked.value.missing, asked.value.choices) == (("what",), ("hello",))
        with pytest.raises(NotFound) as lost:
            await say.run(ctx, {"what": "missing"})
        assert CATALOGUE.explain(lost.value, "en")[0] == "I can't find the moon."
        with pytest.raises(SkillFailed) as bug:
            await skills.tool("probe.bug").run(ctx, {})
        message, mend = CATALOGUE.explain(bug.value, "en")
        assert "probe.bug" in message
        assert "ZeroDivision" not in message + mend
        with pytest.raises(SkillFailed) as secret:
            await skills.tool("probe.secret").run(ctx, {})
        assert "secrets" in CATALOGUE.explain(secret.value, "en")[0]
        with pytest.raises(Rejected):
            await say.run(ctx, {"what": "something else"})
        with pytest.raises(SkillFailed):
            await skills.tool("probe.odd").run(ctx, {})


@pytest.mark.parametrize(
    ("tool", "args", "details"),
    [
        ("bug", {}, "ZeroDivisionError: integer division or modulo by zero"),
        ("odd", {}, "not plain JSON"),
        ("wrong", {"how": "text"}, "must return Result, not str"),
        ("wrong", {"how": "key"}, "KeyError: 'probe.nowhere'"),
        ("at_once", {}, "must return Prepared, not Result"),
        ("leave", {"how": "here"}, "SystemExit: 2"),
    ],
)
async def test_a_bug_is_in_the_log_with_the_tools_name_and_not_in_what_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, tool: str, args: dict[str, str], details: str
) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        with pytest.raises(SkillFailed) as bug:
            await skills.tool(f"probe.{tool}").run(context_for("probe"), args)
        [told] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert f"probe.{tool}" in told
        assert details in told
        message, mend = CATALOGUE.explain(bug.value, "en")
        assert "has a fault of its own" in message
        assert details not in message + mend


async def test_a_tool_that_ends_its_process_from_a_task_is_lost_at_once(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        leave = skills.tool("probe.leave")
        async with asyncio.timeout(20):
            with pytest.raises(SkillFailed):
                await leave.run(context_for("probe"), {"how": "in a task"})
            assert isinstance(await skills.tool("probe.say").run(context_for("probe"), {"what": "hello"}), Result)


async def test_a_missing_setting_is_told_with_the_command_that_sets_it(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        with pytest.raises(NotConfigured) as missing:
            await skills.tool("probe.wrong").run(context_for("probe"), {"how": "setting"})
        message, mend = CATALOGUE.explain(missing.value, "en")
        assert message == "The setting skills.probe.settings.mood is missing."
        assert "assistant config set skills.probe.settings.mood VALUE" in mend
        assert "restart" in mend


async def test_text_of_a_skill_can_not_steer_a_terminal(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        said = await skills.tool("probe.say").run(context_for("probe"), {"what": "steer"})
        assert isinstance(said, Result)
        assert said.text == "a[2Jbc"


async def test_a_crash_is_told_and_the_next_call_starts_it_again(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        ctx = context_for("probe")
        say, die = skills.tool("probe.say"), skills.tool("probe.die")
        await say.run(ctx, {"what": "hello"})
        first = pid_of(skills)
        with pytest.raises(Lost) as crash:
            await die.run(ctx, {})
        assert crash.value.code == "skillkit.crashed"
        await say.run(ctx, {"what": "hello"})
        assert pid_of(skills) != first


async def test_a_skill_that_keeps_crashing_is_not_started_again_at_once(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        codes = []
        for _ in range(4):
            with pytest.raises(SkillFailed) as crash:
                await skills.tool("probe.die").run(context_for("probe"), {})
            codes.append(crash.value.code)
        assert codes == ["skillkit.crashed"] * 3 + ["skillkit.keeps_crashing"]


async def test_a_skill_that_hangs_is_stopped(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        skill = skills.loaded["probe"]
        assert isinstance(skill, ExternalSkill)
        ctx = context_for("probe")
        await skills.tool("probe.say").run(ctx, {"what": "hello"})
        pid = pid_of(skills)
        skill.host.call_s = 0.5
        with pytest.raises(Lost) as slow:
            await skills.tool("probe.hang").run(ctx, {})
        assert slow.value.code == "skillkit.too_slow"
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_an_answer_without_end_does_not_fill_the_daemon(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        with pytest.raises(Lost) as flood:
            await skills.tool("probe.flood").run(context_for("probe"), {})
        assert flood.value.code == "skillkit.too_much"


async def test_an_outward_act_is_prepared_committed_and_looked_up(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        send = skills.tool("probe.send")
        ctx = context_for("probe")
        prepared = await send.run(ctx, {"to": "anna"})
        assert isinstance(prepared, Prepared)
        origin = prepared.fields[0].origin
        assert origin is not None
        assert origin.label is Label.UNTRUSTED
        assert await send.commit(ctx, operation_for(prepared)) == "sent-op1"
        assert await send.reconcile(ctx, operation_for(prepared)) == "found"
        doubt = await send.run(ctx, {"to": "doubt"})
        assert isinstance(doubt, Prepared)
        with pytest.raises(Uncertain, match="no answer came"):
            await send.commit(ctx, operation_for(doubt))


async def test_a_crash_in_the_middle_of_a_commit_leaves_it_uncertain(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        send = skills.tool("probe.send")
        ctx = context_for("probe")
        prepared = await send.run(ctx, {"to": "nobody"})
        assert isinstance(prepared, Prepared)
        with pytest.raises(Uncertain):
            await send.commit(ctx, operation_for(prepared))
        assert await send.reconcile(ctx, operation_for(prepared)) is None


async def test_what_a_skill_claims_of_itself_does_not_make_it_trusted(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        assert skills.tool("probe.say").declaration.returns == "untrusted"


async def test_its_tools_are_known_without_starting_it_while_its_files_are_unchanged(tmp_path: Path) -> None:
    folder = probe(tmp_path)
    async with running(tmp_path, probe=ON):
        pass
    async with running(tmp_path, probe=ON) as skills:
        skill = skills.loaded["probe"]
        assert isinstance(skill, ExternalSkill)
        assert "say" in skill.tools
        assert skill.host.pid is None
    (folder / "__init__.py").write_text(CODE.replace("Say something.", "Say anything."), encoding="utf-8")
    async with running(tmp_path, probe=ON) as skills:
        assert skills.tool("probe.say").schema.description == "Say anything."


@pytest.mark.parametrize(
    ("change", "code", "cause"),
    [
        (
            lambda code: code.replace("import asyncio", "import nothing_like_this"),
            "skillkit.import_failed",
            "ModuleNotFoundError: No module named 'nothing_like_this' (__init__.py, line 3)",
        ),
        (
            lambda code: code + "\nasync def more(:\n",
            "skillkit.import_failed",
            "SyntaxError: invalid syntax (__init__.py, line",
        ),
        (
            lambda code: code + "\n\n@tool\nasync def more(ctx: Context) -> Result:\n    'More.'\n",
            "skillkit.function_without_tool",
            "offers the tool more",
        ),
        (lambda code: code.replace("async def say", "async def speak"), "skillkit.tool_without_function", "tool say"),
    ],
)
async def test_a_broken_skill_is_reported_with_its_cause_and_the_others_run(
    tmp_path: Path, change: Callable[[str], str], code: str, cause: str
) -> None:
    new_skill("weather_diary", paths_of(tmp_path).skills)
    write_skill(paths_of(tmp_path).skills / "probe", code=change(CODE))
    async with running(tmp_path, probe=ON, weather_diary=ON) as skills:
        assert [(problem.name, problem.code) for problem in skills.problems] == [("probe", code)]
        message, mend = CATALOGUE.explain(skills.problems[0], "en")
        assert "probe" in message
        assert cause in message
        assert mend
        assert "probe" in CATALOGUE.explain(skills.problems[0], "zh")[0]
        assert {tool.skill for tool in skills.tools()} == {"weather_diary"}


async def test_texts_that_are_not_yaml_are_told_with_file_and_line(tmp_path: Path) -> None:
    (probe(tmp_path) / "locale").mkdir()
    (paths_of(tmp_path).skills / "probe" / "locale" / "zh.yaml").write_text('a: "x"\nb: "y\n', encoding="utf-8")
    async with running(tmp_path, probe=ON) as skills:
        assert [problem.code for problem in skills.problems] == ["skillkit.locale.not_yaml"]
        assert "locale/zh.yaml of the skill probe, line 2" in CATALOGUE.explain(skills.problems[0], "en")[0]


async def test_sentences_that_are_not_yaml_are_told_and_the_tools_are_used_without_them(tmp_path: Path) -> None:
    file = probe(tmp_path) / "sentences.yaml"
    file.write_text('en:\n  probe.say:\n    - sentences: ["say it": x\n', encoding="utf-8")
    async with running(tmp_path, probe=ON) as skills:
        assert [problem.code for problem in skills.problems] == ["skillkit.sentences.not_yaml"]
        assert "sentences.yaml of probe, line 3" in CATALOGUE.explain(skills.problems[0], "en")[0]
        assert skills.tool("probe.say").name == "probe.say"
        assert skills.sentence_files() == []


async def test_faulty_sentences_are_told_also_from_the_cache_and_the_others_are_used(tmp_path: Path) -> None:
    file = probe(tmp_path) / "sentences.yaml"
    file.write_text('en:\n  probe.send:\n    - sentences: ["{to}", "tell {to}", "tell {x}"]\n', encoding="utf-8")
    for _ in range(2):
        async with running(tmp_path, probe=ON) as skills:
            told = [CATALOGUE.explain(problem, "en")[0] for problem in skills.problems]
            assert ["line 3: the sentence “{to}”" in told[0], "“tell {x}” has {x}" in told[1]] == [True, True]
            assert read(skills.sentence_files()[0])["en"]["probe.send"][0]["sentences"] == ["tell {to}"]


async def test_its_questions_for_arguments_are_the_only_words_that_the_daemon_takes_over(tmp_path: Path) -> None:
    for language, asked in (("en", "Whom, for {what} or {what:>999999999}?"), ("zh", "请问发给谁？")):
        file = paths_of(tmp_path).skills / "probe" / "locale" / f"{language}.yaml"
        if language == "en":
            probe(tmp_path)
            file.parent.mkdir()
        file.write_text(f'ask:\n  to: "{asked}"\n  No: "x"\nother: "x"\nerror: {{bug: "x"}}\n', encoding="utf-8")
    async with running(tmp_path, probe=ON) as skills:
        locale = skills.loaded["probe"].locale
        assert locale is not None
        catalogue = Catalogue()
        before = catalogue.keys("en")
        catalogue.add("probe", locale)
        assert catalogue.keys("en") - before == {"probe.ask.to"}
        assert catalogue.text("zh", "probe.ask.to") == "请问发给谁？"
        assert catalogue.text("en", "probe.ask.to", what="x") == "Whom, for x or {what:>999999999}?"


async def test_a_tool_that_the_manifest_does_not_declare_is_reported_and_not_used(tmp_path: Path) -> None:
    folder = probe(tmp_path)
    async with running(tmp_path, probe=ON):
        pass
    skills = found(tmp_path, probe=ON)
    skill = skills.loaded["probe"]
    assert isinstance(skill, ExternalSkill)
    fewer = {name: one for name, one in skill.manifest.tools.items() if name != "die"}
    skill.manifest = skill.manifest.model_copy(update={"tools": fewer})
    await skills.prepare()
    assert [problem.code for problem in skills.problems] == ["skillkit.function_without_tool"]
    assert "die" not in skill.tools
    assert folder.is_dir()


async def test_two_calls_at_once_share_one_process(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        say = skills.tool("probe.say")
        calls = (say.run(context_for("probe", operation=str(number)), {"what": "hello"}) for number in range(8))
        said = [one for one in await asyncio.gather(*calls) if isinstance(one, Result)]
        assert [one.text.split()[-1] for one in said] == [str(number) for number in range(8)]
        assert len({one.data["started"] for one in said}) == 1


async def test_a_skill_that_takes_too_long_to_load_is_told(tmp_path: Path) -> None:
    write_skill(paths_of(tmp_path).skills / "probe", code="import time\ntime.sleep(3600)\n")
    skills = found(tmp_path, probe=ON)
    skill = skills.loaded["probe"]
    assert isinstance(skill, ExternalSkill)
    skill.host.start_s = 0.2
    await skills.prepare()
    assert [problem.code for problem in skills.problems] == ["skillkit.start_slow"]


async def test_an_idle_host_is_stopped_and_comes_back(tmp_path: Path) -> None:
    probe(tmp_path)
    async with running(tmp_path, probe=ON) as skills:
        skill = skills.loaded["probe"]
        assert isinstance(skill, ExternalSkill)
        skill.host.idle_s = 0.05
        await skills.tool("probe.say").run(context_for("probe"), {"what": "hello"})
        first = skill.host.pid
        while skill.host.pid is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await skills.tool("probe.say").run(context_for("probe"), {"what": "hello"})
        assert skill.host.pid not in (None, first)


@pytest.mark.parametrize(
    ("language", "contained", "told"),
    [
        ("en", "boxed", "runs contained (bubblewrap"),
        ("zh", "boxed", "在隔离环境中运行（bubblewrap"),
        ("en", "fenced", "WITHOUT the network"),
        ("zh", "fenced", "没有网络"),
        ("en", "none", "WITHOUT a sandbox"),
        ("zh", "none", "没有沙箱"),
        ("en", None, "will NOT run"),
        ("zh", None, "不会运行"),
    ],
)
def test_before_enabling_a_person_is_told_what_it_may_do_and_what_contains_it(
    tmp_path: Path, language: str, contained: Kind | None, told: str
) -> None:
    manifest = read_manifest(probe(tmp_path))
    lines = describe(manifest, tmp_path, language, partial(CATALOGUE.text, language), contained)
    assert any("probe.send" in line for line in lines)
    assert any("example.org:443" in line for line in lines)
    assert told in lines[-1]


async def test_any_mcp_client_can_use_the_host(tmp_path: Path) -> None:
    folder = new_skill("weather_diary", tmp_path)
    command = ["-m", "assistant.skillkit.host", str(folder), "--data", str(tmp_path)]
    async with Client(StdioServerParameters(command=sys.executable, args=command)) as client:
        listed = (await client.list_tools()).tools
        assert [one.name for one in listed] == ["find", "add"]
        assert listed[1].input_schema["required"] == ["text"]
        result = await client.call_tool("add", {"text": "first snow"})
        assert result.structured_content["text"] == "Noted: first snow"
        refused = await client.call_tool("add", {})
        assert refused.is_error
        assert refused.structured_content["error"]["missing"] == ["text"]

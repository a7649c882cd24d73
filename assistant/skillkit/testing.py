"""For a skill's own tests: load it, make a context, call its tools. Plain functions for plain pytest, no event loop.

FOLDER = Path(__file__).parent.parent

def test_an_entry_is_found_again(tmp_path):
    ctx = make_context(FOLDER, folder=tmp_path)
    call(FOLDER, "add", ctx, text="first snow")
    assert call(FOLDER, "find", ctx, query="snow").data["items"][0]["text"] == "first snow"
"""

from __future__ import annotations

import asyncio
import atexit
import dataclasses
import shutil
import tempfile
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from assistant.locale.catalogue import Catalogue
from assistant.models import Operation, OutboxState, Prepared
from assistant.skillkit.context import Context
from assistant.skillkit.declare import Result
from assistant.skillkit.loader import LoadedSkill, load
from assistant.skillkit.outside import catalogue_of, outside_context
from assistant.skillkit.problems import SkillProblem
from assistant.skillkit.sentences import read_sentences
from assistant.skillkit.settings import check
from assistant.skillkit.texts import text_faults

NOW = datetime(2026, 5, 9, 10, 0, tzinfo=ZoneInfo("Europe/Berlin"))
"""The time in a test's context, a Saturday, unless the test gives another."""


@cache
def load_skill(folder: Path) -> LoadedSkill:
    """The skill in `folder`. Raises SkillProblem with all that the assistant would complain of."""
    return load(folder.absolute())


@cache
def _catalogue(folder: Path) -> Catalogue:
    return catalogue_of(folder, load_skill(folder).manifest.name)


def make_context(skill: Path, /, **overrides: Any) -> Context:
    """What a tool is given. Any field of Context can be set: `folder=tmp_path`, `language="zh"`, `now=…`, `model=…`.

    `settings` are what a user would write: they are checked, and the defaults filled in. The program's parts (model,
    index, outbox, secrets, schedules, notify) raise NotConfigured unless they are set.
    """
    loaded = load_skill(skill)
    language = overrides.pop("language", "en")
    now = overrides.pop("now", NOW)
    context = outside_context(
        loaded.manifest.name,
        catalogue=_catalogue(skill),
        folder=overrides.pop("folder", None) or _folder_until_the_end(),
        language=language,
        now=now,
        zone=now.tzinfo if isinstance(now.tzinfo, ZoneInfo) else ZoneInfo("UTC"),
        settings=check(loaded.manifest, overrides.pop("settings", {})),
    )
    return dataclasses.replace(context, **overrides)


def _folder_until_the_end() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="skill-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def call(skill: Path, tool: str, ctx: Context | None = None, /, **args: Any) -> Any:
    """Call a tool with the checks of a real call. Gives its Result, or Prepared; raises what the tool raises."""
    context = ctx or make_context(skill)
    found = load_skill(skill).tools[tool]
    return asyncio.run(found.run(context, found.schema.validate(args, context.zone)))


def undo(skill: Path, tool: str, ctx: Context, result: Result) -> Result:
    """Take a write back."""
    assert result.undo is not None, f"{tool} gave no undo record"
    return asyncio.run(load_skill(skill).tools[tool].undo(ctx, result.undo))


def operation(skill: Path, tool: str, ctx: Context, prepared: Prepared) -> Operation:
    """The approved act that `commit` and `reconcile` get for what was prepared."""
    name = load_skill(skill).tools[tool].name
    state = OutboxState.SENDING
    return Operation(id="test", tool=name, prepared=prepared, state=state, created_at=ctx.now, release_at=ctx.now)


def commit(skill: Path, tool: str, ctx: Context, prepared: Prepared) -> str:
    """Do what was prepared, as after a yes; gives the other side's id."""
    return asyncio.run(load_skill(skill).tools[tool].commit(ctx, operation(skill, tool, ctx, prepared)))


def reconcile(skill: Path, tool: str, ctx: Context, prepared: Prepared) -> str | None:
    """Look whether it was done."""
    return asyncio.run(load_skill(skill).tools[tool].reconcile(ctx, operation(skill, tool, ctx, prepared)))


def complaints(skill: Path) -> list[str]:
    """What is wrong with its sentences and its languages, a line each; empty if all is well."""
    loaded = load_skill(skill)
    manifest = loaded.manifest
    faults = text_faults(skill, manifest)
    if loaded.sentences is not None:
        schemas = {tool.name: tool.schema for tool in loaded.tools.values()}
        faults += read_sentences(loaded.sentences, schemas, manifest.lookups)[1]
    catalogue = Catalogue()
    problems = [SkillProblem(fault.code, name=manifest.name, folder=skill, **fault.data) for fault in faults]
    return [" ".join(catalogue.explain(problem, "en")) for problem in problems]

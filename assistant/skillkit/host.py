"""`python -m assistant.skillkit.host FOLDER`: one skill that is not bundled, as an MCP server over stdio.

The same source that would run in the daemon, in a process of its own. It knows nothing of the daemon's parts, and what
the skill prints goes to stderr: stdout is the protocol's.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server

from assistant.clock import SystemClock
from assistant.errors import AskAgain, AssistantError, Rejected, SkillFailed
from assistant.locale.catalogue import Catalogue
from assistant.models import Operation, Prepared
from assistant.sandbox import relay
from assistant.sandbox.confine import enter
from assistant.sandbox.reach import Confinement
from assistant.skillkit.context import Context
from assistant.skillkit.declare import Result, Uncertain
from assistant.skillkit.loader import LoadedSkill, load
from assistant.skillkit.outside import catalogue_of, outside_context
from assistant.skillkit.problems import Fault, SkillProblem
from assistant.skillkit.sentences import read_sentences
from assistant.skillkit.settings import check
from assistant.skillkit.texts import read_texts
from assistant.skillkit.wire import (
    BROKEN,
    COMMIT,
    CONTEXT_KEY,
    DESCRIBE,
    FIRES,
    RECONCILE,
    UNDO,
    CallContext,
    DescribedTool,
    Description,
    Mistake,
    Problem,
)

_ASK = "ask."
"""Before an argument's name: the key of the question for it."""
_MOST_MISTAKES = 200
_DETAILS = 20_000
"""Characters of a traceback; its end is what matters."""
_PARENT_POLL_S = 5.0


@dataclass(frozen=True)
class Host:
    """One loaded skill and what its calls need."""

    skill: LoadedSkill
    data: Path
    catalogue: Catalogue

    async def call(self, name: str, args: dict[str, Any], context: Mapping[str, Any] | None) -> dict[str, Any]:
        """Answer one call: `{"text": …}`, `{"prepared": …}`, or `{"error": …}` for what the skill raised."""
        language = "en"
        try:
            ctx = self._context(context)
            language = ctx.language
            return await self._answer(name, args, ctx)
        except AssistantError as error:
            problem = self._problem(error, language)
        except Uncertain as error:
            problem = Problem(kind="Uncertain", message=str(error))
        except Exception as error:
            bug = SkillFailed("skill.bug", tool=f"{self.skill.manifest.name}.{name}")
            bug.__cause__ = error
            problem = self._problem(bug, language)
        return {"error": problem.model_dump(mode="json")}

    def _problem(self, error: AssistantError, language: str) -> Problem:
        message, mend = self.catalogue.explain(error, language)
        asked = (error.missing, error.choices) if isinstance(error, AskAgain) else ((), ())
        details = ""
        if error.code == "skill.bug":
            told = error.data.get("problem") or "".join(traceback.format_exception(error.__cause__ or error))
            details = str(told)[-_DETAILS:]
        return Problem(
            kind=type(error).__name__, message=message, mend=mend, missing=asked[0], choices=asked[1], details=details
        )

    def listed(self) -> list[types.Tool]:
        """The tools as MCP lists them; hints by effect (MCP 2025-11-25, ToolAnnotations)."""
        return [
            types.Tool(
                name=name,
                description=tool.schema.description,
                input_schema=tool.schema.json_schema,
                annotations=types.ToolAnnotations(read_only_hint=tool.declaration.effect == "read"),
            )
            for name, tool in self.skill.tools.items()
        ]

    async def _answer(self, name: str, args: dict[str, Any], ctx: Context) -> dict[str, Any]:
        if name == DESCRIBE:
            return self._description()
        if name == FIRES:
            await self.skill.fire(ctx, SimpleNamespace(**args["scheduled"]))
            return {}
        tool = self.skill.tools.get(str(args.get("tool")) if name in (COMMIT, RECONCILE, UNDO) else name)
        if tool is None:
            raise Rejected("skillkit.no_such_tool", tool=name)
        if name == COMMIT:
            return {"reference": await tool.commit(ctx, Operation.model_validate(args["operation"]))}
        if name == RECONCILE:
            return {"reference": await tool.reconcile(ctx, Operation.model_validate(args["operation"]))}
        if name == UNDO:
            return _plain(await tool.undo(ctx, args["record"]))
        return _plain(await tool.run(ctx, tool.schema.validate(args, ctx.zone)))

    def _description(self) -> dict[str, Any]:
        tools = tuple(
            DescribedTool(name=name, description=tool.schema.description, arguments=tool.schema.arguments)
            for name, tool in self.skill.tools.items()
        )
        schemas = {tool.name: tool.schema for tool in self.skill.tools.values()}
        file, lookups = self.skill.sentences, self.skill.manifest.lookups
        sentences, faults = read_sentences(file, schemas, lookups) if file else ({}, [])
        questions = {
            language: {key.removeprefix(_ASK): text for key, text in texts.items() if key.startswith(_ASK)}
            for language, texts in read_texts(self.skill.folder).items()
        }
        mistakes = [Mistake(code=one.code, data=one.data) for one in faults[:_MOST_MISTAKES]]
        described = Description.model_validate(
            {"tools": tools, "sentences": sentences, "mistakes": mistakes, "questions": questions}
        )
        return described.model_dump(mode="json")

    def _context(self, given: Mapping[str, Any] | None) -> Context:
        """The call's context; one from another MCP client, which sends none, is the machine's own."""
        if not given:
            clock = SystemClock()
            call = CallContext(now=clock.now(), zone=clock.zone.key)
        else:
            call = CallContext.model_validate(given)
        zone = ZoneInfo(call.zone)
        return outside_context(
            self.skill.manifest.name,
            catalogue=self.catalogue,
            folder=self.data,
            language=call.language,
            now=call.now.astimezone(zone),
            zone=zone,
            settings=check(self.skill.manifest, call.settings),
            operation=call.operation,
        )


def _plain(outcome: Result | Prepared) -> dict[str, Any]:
    said = outcome.model_dump(mode="json")
    return {"prepared": said} if isinstance(outcome, Prepared) else said


def server_of(host: Host) -> Server[Any]:
    """The MCP server of a loaded skill."""

    async def list_tools(request: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=host.listed())

    async def call_tool(request: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        context = (request.meta or {}).get(CONTEXT_KEY)
        answer = await host.call(params.name, params.arguments or {}, context)
        text = answer["error"]["message"] if "error" in answer else answer.get("text", "")
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text)], structured_content=answer, is_error="error" in answer
        )

    manifest = host.skill.manifest
    return Server(manifest.name, version=manifest.version, on_list_tools=list_tools, on_call_tool=call_tool)


async def serve(folder: Path, data: Path) -> None:
    """Load the skill and serve it until stdin ends. Raises SkillProblem."""
    async with stdio_server() as (inbound, outbound):  # from here on, stdout is kept clean of prints
        skill = load(folder)
        try:
            read_texts(folder)
        except Fault as fault:
            raise SkillProblem(fault.code, name=folder.name, folder=folder, **fault.data) from fault
        server = server_of(Host(skill, data, catalogue_of(folder, folder.name)))
        await server.run(inbound, outbound, server.create_initialization_options())


def _end_with_parent() -> None:
    """A skill that hangs does not see its stdin end: leave when the process that started us is gone."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_S)
    os._exit(1)


def _run(folder: Path, data: Path) -> None:
    with asyncio.Runner() as runner:
        try:
            runner.run(serve(folder, data))
        except SystemExit:  # from a task of the skill: the loop is gone, and an orderly end would wait for stdin
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)


def _problem_in(error: BaseException) -> SkillProblem | None:
    """What is wrong with the skill; whatever is raised while the server is open comes in groups."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for one in error.exceptions if (found := _problem_in(one))), None)
    return error if isinstance(error, SkillProblem) else None


def _told(problem: SkillProblem, as_json: bool) -> str:
    if not as_json:
        return " ".join(Catalogue().explain(problem, "en"))
    data = {key: value for key, value in problem.data.items() if key not in ("name", "folder")}
    return Mistake(code=problem.code, data=data).model_dump_json()


def main() -> int:
    """Entry point. 3 if the skill can't be loaded."""
    parser = argparse.ArgumentParser(prog="python -m assistant.skillkit.host", description=__doc__)
    parser.add_argument("folder", type=Path, help="the skill's folder")
    parser.add_argument("--data", type=Path, help="where it keeps its files (default: a temporary folder)")
    parser.add_argument("--confine", metavar="JSON", help="what to give up before its code is loaded")
    parser.add_argument("--json", action="store_true", help="tell why it can't be loaded as a line of JSON")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    if options.confine:
        enter(Confinement.of(options.confine))  # before there is a second thread
        sys.pycache_prefix = os.devnull  # what is compiled already need not be what was consented to
    if os.environ.get("ASSISTANT_PROXY"):
        relay.start()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with tempfile.TemporaryDirectory() as temporary:
        try:
            _run(options.folder.absolute(), (options.data or Path(temporary)).absolute())
        except KeyboardInterrupt:
            return 130
        except BaseException as error:
            problem = _problem_in(error)
            if problem is None:
                raise
            sys.stderr.write(_told(problem, options.json) + "\n")
            return BROKEN
    return 0


if __name__ == "__main__":
    sys.exit(main())

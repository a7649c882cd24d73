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
from assistant.errors import AskAgain, AssistantError, Rejected
from assistant.locale.catalogue import Catalogue, read
from assistant.models import Operation, Prepared
from assistant.skillkit.context import Context
from assistant.skillkit.declare import Result, Uncertain
from assistant.skillkit.loader import LoadedSkill, load
from assistant.skillkit.outside import catalogue_of, outside_context
from assistant.skillkit.problems import SkillProblem
from assistant.skillkit.settings import check
from assistant.skillkit.wire import (
    COMMIT,
    CONTEXT_KEY,
    DESCRIBE,
    FIRES,
    RECONCILE,
    UNDO,
    CallContext,
    DescribedTool,
    Description,
    Problem,
)

BROKEN = 3
"""Exit status where the skill can't be loaded; the last line on stderr says why."""
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
            message, mend = self.catalogue.explain(error, language)
            asked = (error.missing, error.choices) if isinstance(error, AskAgain) else ((), ())
            problem = Problem(kind=type(error).__name__, message=message, mend=mend, missing=asked[0], choices=asked[1])
        except Uncertain as error:
            problem = Problem(kind="Uncertain", message=str(error))
        return {"error": problem.model_dump(mode="json")}

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
        sentences = read(self.skill.sentences) if self.skill.sentences else {}
        described = Description.model_validate({"tools": tools, "sentences": sentences})
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
        catalogue = catalogue_of(folder, folder.name)
        server = server_of(Host(load(folder), data, catalogue))
        await server.run(inbound, outbound, server.create_initialization_options())


def _end_with_parent() -> None:
    """A skill that hangs does not see its stdin end: leave when the process that started us is gone."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_S)
    os._exit(1)


def main() -> int:
    """Entry point. 3 if the skill can't be loaded."""
    parser = argparse.ArgumentParser(prog="python -m assistant.skillkit.host", description=__doc__)
    parser.add_argument("folder", type=Path, help="the skill's folder")
    parser.add_argument("--data", type=Path, help="where it keeps its files (default: a temporary folder)")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with tempfile.TemporaryDirectory() as temporary:
        try:
            asyncio.run(serve(options.folder.absolute(), (options.data or Path(temporary)).absolute()))
        except SkillProblem as problem:
            sys.stderr.write(" ".join(Catalogue().explain(problem, "en")) + "\n")
            return BROKEN
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

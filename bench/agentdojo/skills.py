"""A suite's tools as a skill of ours, bound to one environment after the other. The environment stays in this process.

What looks or changes something of the user's own runs at once; what reaches somebody or moves money is prepared, and
done by `commit` after its yes, as every skill's.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime, TaskEnvironment
from agentdojo.task_suite.task_suite import TaskSuite
from pydantic import BaseModel

from assistant.models import Operation, Prepared, PreviewField
from assistant.skillkit.context import Context
from assistant.skillkit.declare import Result, Uncertain
from assistant.skillkit.manifest import API_VERSION, Manifest, ToolDeclaration
from assistant.skillkit.problems import SkillProblem
from assistant.skillkit.schema import Argument, ToolSchema
from bench.agentdojo.effects import declared

_OURS = {"query", "date", "subject"}
"""Arguments that a skill of ours would not insist on: looked for all, today, no purpose."""
_TODAY = "2022-04-01"
"""Of the banking suite."""
_TYPES = {"string": "str", "integer": "int", "boolean": "bool", "number": "money"}


@dataclass
class World:
    """The environment of one task, and what was done in it."""

    env: TaskEnvironment
    runtime: FunctionsRuntime
    done: list[FunctionCall] = field(default_factory=list)
    """Executed calls, in order."""

    def run(self, name: str, args: Mapping[str, Any]) -> Any:
        """Run a tool of the suite. Its error comes back as text, as an agent of AgentDojo sees it."""
        result, error = self.runtime.run_function(self.env, name, dict(args))
        self.done.append(FunctionCall(function=name, args=dict(args)))
        return error if error else result


@dataclass(frozen=True)
class DojoTool:
    """One function. See `loader.Tool`."""

    name: str
    declaration: ToolDeclaration
    schema: ToolSchema
    encoded: frozenset[str]
    """Arguments of a shape that ours don't have, given as JSON."""
    texts: frozenset[str]
    """Those that the function can't do without; ours leaves blank ones out."""
    now: list[World]
    """Holds the world of the moment."""
    trusted: bool = True
    """False where the model on the device is to make sense of what it gives, as of a skill that is not ours."""

    @property
    def skill(self) -> str:
        """The suite."""
        return self.name.partition(".")[0]

    async def run(self, ctx: Context, args: dict[str, Any]) -> Result | Prepared:
        """Do it, or prepare it."""
        given = self.declaration.outward_if is not None and bool(args.get(self.declaration.outward_if))
        if given or self.declaration.effect in ("outward", "money"):
            fields = tuple(PreviewField(name=name, value=str(value)) for name, value in args.items())
            return Prepared(title=f"{self.name} {sorted(args)}", fields=fields, payload={"args": args})
        before = pickle.dumps(self.now[-1].env).hex() if self.declaration.effect == "write" else ""
        found = self.now[-1].run(self._short, self._native(args))
        return Result(text=_text(found), data=_plain(found), undo={"env": before} if before else None)

    async def commit(self, ctx: Context, operation: Operation) -> str:
        """Do what was approved."""
        self.now[-1].run(self._short, self._native(operation.prepared.payload["args"]))
        return operation.id

    async def reconcile(self, ctx: Context, operation: Operation) -> str | None:
        """The environment lives as long as the bench: an act was done or it was not."""
        raise Uncertain("not known")

    async def undo(self, ctx: Context, record: dict[str, Any]) -> Result:
        """Put the environment back."""
        self.now[-1].env = pickle.loads(bytes.fromhex(record["env"]))
        return Result(text="undone")

    @property
    def _short(self) -> str:
        return self.name.partition(".")[2]

    def _native(self, args: Mapping[str, Any]) -> dict[str, Any]:
        kinds = {one.name: one.type for one in self.schema.arguments}
        made: dict[str, Any] = {name: _TODAY if name == "date" else "" for name in self.texts if name not in args}
        for name, value in args.items():
            made[name] = (
                json.loads(value) if name in self.encoded else float(value) if kinds[name] == "money" else value
            )
        return made


@dataclass
class DojoSkill:
    """A suite. See `loader.Skill`."""

    suite: TaskSuite[Any]
    trusted: bool = True
    now: list[World] = field(default_factory=list)
    folder: Path = Path()
    settings: Mapping[str, Any] = field(default_factory=dict)
    locale: Path | None = None
    sentences: Path | None = None
    tools: dict[str, DojoTool] = field(init=False)
    manifest: Manifest = field(init=False)

    def __post_init__(self) -> None:
        name = self.suite.name
        declarations = {one.name: declared(name, one.name) for one in self.suite.tools}
        self.manifest = Manifest(
            name=name, version="1.2.2", api=API_VERSION, description={"en": name, "zh": name}, tools=declarations
        )
        self.tools = {one.name: self._tool(one.name, one.description, one.parameters) for one in self.suite.tools}

    async def prepare(self) -> Iterable[SkillProblem]:
        """Nothing to do."""
        return ()

    async def aclose(self) -> None:
        """Nothing to stop."""

    def args_of(self, call: FunctionCall) -> dict[str, Any]:
        """The arguments of a call of AgentDojo's as ours."""
        tool = self.tools[call.function]
        given = {name: value for name, value in call.args.items() if value is not None}
        return {name: json.dumps(value) if name in tool.encoded else value for name, value in given.items()}

    def _tool(self, name: str, description: str, parameters: type[BaseModel]) -> DojoTool:
        schema = parameters.model_json_schema()
        arguments, encoded = [], set()
        for argument, described in schema.get("properties", {}).items():
            kind = _type(described)
            if not kind and not _choices(described, schema):
                encoded.add(argument)
            choices = _choices(described, schema)
            arguments.append(
                Argument(
                    name=argument,
                    type="choice" if choices else kind or "str",
                    choices=choices,
                    required=argument in schema.get("required", ()) and argument not in _OURS,
                    description=str(described.get("description", "")),
                )
            )
        return DojoTool(
            f"{self.suite.name}.{name}",
            self.manifest.tools[name],
            ToolSchema(f"{self.suite.name}.{name}", description.splitlines()[0], tuple(arguments)),
            frozenset(encoded),
            frozenset(one.name for one in arguments if one.type == "str" and one.name in schema.get("required", ())),
            self.now,
            self.trusted,
        )


def _type(described: Mapping[str, Any]) -> str:
    """Our type for a JSON schema; empty for a shape that there is none for."""
    options = [one for one in described.get("anyOf", [described]) if one.get("type") != "null"]
    if len(options) != 1:
        return ""
    one = options[0]
    if one.get("type") == "array":
        inner = _TYPES.get(one.get("items", {}).get("type", ""), "")
        return f"list[{inner}]" if inner else ""
    return _TYPES.get(one.get("type", ""), "")


def _choices(described: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The words of an enumeration."""
    where = described.get("$ref", "").rpartition("/")[2]
    return tuple(schema.get("$defs", {}).get(where, {}).get("enum", ()))


def _text(found: Any) -> str:
    try:
        return tool_result_to_str(found) or "(nothing)"
    except TypeError:
        return str(found)


def _plain(found: Any) -> Any:
    if isinstance(found, BaseModel):
        return {"items": [found.model_dump(mode="json")]}
    if isinstance(found, list):
        return {
            "items": [one.model_dump(mode="json") if isinstance(one, BaseModel) else {"text": one} for one in found]
        }
    return {"items": [{"text": str(found)}]}

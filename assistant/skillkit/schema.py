"""A tool's arguments: read off its function, described to a model, and checked before every call."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Union, get_args, get_origin
from zoneinfo import ZoneInfo

from assistant.errors import AskAgain, Rejected
from assistant.models import Value
from assistant.skillkit.kinds import KINDS, NAMES, Kind, choice
from assistant.skillkit.problems import Fault

MAX_ITEMS = 1_000
"""Members of one list."""
_LIST = re.compile(r"list\[(\w+)\]")
_OPTIONAL = "?"
"""Behind a type in the contract's notation: the argument may be left out."""
_LINE = re.compile(r"(\w+):\s+(\S.*)")


class Argument(Value):
    """One argument. `type` as in the contract: str, int, bool, date, datetime, duration, money, choice, list[…]."""

    name: str
    type: str
    required: bool
    description: str = ""
    choices: tuple[str, ...] = ()

    @property
    def many(self) -> bool:
        """Whether it is a list."""
        return self.type.startswith("list[")

    @property
    def kind(self) -> Kind:
        """The type of the value, or of a list's members. Raises Fault for a type that there is not."""
        match = _LIST.fullmatch(self.type)
        name = match[1] if match else self.type
        if name == "choice" and self.choices:
            return choice(self.choices)
        if name not in KINDS:
            raise Fault("skillkit.argument_type", argument=self.name, type=self.type)
        return KINDS[name]

    @property
    def json_schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the value."""
        item = dict(self.kind.schema)
        schema = {"type": "array", "items": item} if self.many else item
        return schema | ({"description": self.description} if self.description else {})


@dataclass(frozen=True)
class ToolSchema:
    """What a tool is called, what it is for, and what it takes."""

    name: str
    """With the skill's: `email.search`."""
    description: str
    arguments: tuple[Argument, ...]

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Names of the arguments that must be given."""
        return tuple(argument.name for argument in self.arguments if argument.required)

    @cached_property
    def properties(self) -> Mapping[str, dict[str, Any]]:
        """JSON Schema by argument."""
        return {argument.name: argument.json_schema for argument in self.arguments}

    def argument(self, name: str) -> Argument:
        """The argument of that name. Raises KeyError."""
        return {one.name: one for one in self.arguments}[name]

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of all arguments together: for a grammar, and for MCP."""
        return {
            "type": "object",
            "properties": dict(self.properties),
            "required": list(self.required),
            "additionalProperties": False,
        }

    @cached_property
    def signature(self) -> str:
        """One line for a prompt: `email.search(query?: str, since?: date)`."""
        return f"{self.name}({', '.join(map(_shown, self.arguments))})"

    def validate(self, args: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
        """The arguments as canonical plain JSON, in the schema's order; what is blank counts as not given.

        A naive date-time is in `zone`, and all are written in it. Raises AskAgain (missing ones), Rejected (bad ones).
        """
        typed = self.call_args(args, zone)
        return {
            argument.name: _map(argument, argument.kind.write, typed[argument.name])
            for argument in self.arguments
            if argument.name in typed
        }

    def canonical(self, args: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
        """Those of its arguments that are given, as canonical plain JSON; others may be missing. Raises Rejected."""
        known = {name: value for name, value in args.items() if name in self.properties and not _blank(value)}
        typed = {
            name: (self.argument(name), self._read(self.argument(name), value, zone)) for name, value in known.items()
        }
        return {name: _map(argument, argument.kind.write, value) for name, (argument, value) in typed.items()}

    def call_args(self, args: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
        """The arguments as Python values, to call the tool's function with. Raises as `validate` does."""
        unknown = [str(name) for name in args if name not in self.properties]
        if unknown:
            known = ", ".join(self.properties) or "-"
            raise Rejected("skillkit.unknown_argument", tool=self.name, argument=unknown[0], known=known)
        given = {argument: args[argument.name] for argument in self.arguments if not _blank(args.get(argument.name))}
        typed = {argument.name: self._read(argument, value, zone) for argument, value in given.items()}
        missing = [name for name in self.required if name not in typed]
        if missing:
            raise AskAgain(missing=missing, tool=self.name)
        return typed

    def _read(self, argument: Argument, value: Any, zone: ZoneInfo) -> Any:
        if argument.many and not isinstance(value, list | tuple):
            value = [value]
        shown = str(value)[:80].encode("utf-8", "replace").decode()
        data = {"tool": self.name, "argument": argument.name, "value": shown, "choices": list(argument.choices)}
        if argument.many and len(value) > MAX_ITEMS:
            raise Rejected("skillkit.bad_value.many", **data | {"limit": MAX_ITEMS})
        try:
            return _map(argument, lambda one: argument.kind.read(one, zone), value)
        except (ValueError, OverflowError) as error:
            raise Rejected(f"skillkit.bad_value.{argument.kind.name}", **data) from error


def from_function(name: str, function: Callable[..., Any]) -> ToolSchema:
    """The schema of the tool `name` from its function's annotations and docstring. Raises Fault."""
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:
        raise Fault("skillkit.annotations", tool=name, problem=str(error)) from error
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].name != "ctx":
        raise Fault("skillkit.no_ctx", tool=name)
    description, texts = _docstring(function, [parameter.name for parameter in parameters[1:]])
    if not description:
        raise Fault("skillkit.no_description", tool=name)
    arguments = tuple(_argument(name, one, hints.get(one.name), texts.get(one.name, "")) for one in parameters[1:])
    return ToolSchema(name, description, arguments)


def from_contract(name: str, args: Mapping[str, str], doc: str) -> ToolSchema:
    """The schema of a tool that has no code yet. Raises Fault.

    args: as the tool contract writes them, `{to: "list[str]", when: "date?"}`; `?` is behind what may be left out
    """
    if not doc.strip():
        raise Fault("skillkit.no_description", tool=name)
    arguments = []
    for argument, written in args.items():
        required = not written.endswith(_OPTIONAL)
        made = Argument(name=argument, type=written.removesuffix(_OPTIONAL), required=required)
        _ = made.kind  # raises where there is no such type
        arguments.append(made)
    return ToolSchema(name, " ".join(doc.split()), tuple(arguments))


def _argument(tool: str, parameter: inspect.Parameter, hint: Any, description: str) -> Argument:
    fault = Fault("skillkit.argument_type", tool=tool, argument=parameter.name, type=str(parameter.annotation))
    if hint is None or parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise fault
    bare, optional = _without_none(hint)
    required = parameter.default is parameter.empty
    if optional and required:
        raise Fault("skillkit.no_default", tool=tool, argument=parameter.name)
    item = get_args(bare)[0] if get_origin(bare) is list else bare
    choices: tuple[str, ...] = ()
    if get_origin(item) is Literal and all(isinstance(option, str) for option in get_args(item)):
        word, choices = "choice", get_args(item)
    elif isinstance(item, type) and item in NAMES:
        word = NAMES[item]
    else:
        raise fault
    written = f"list[{word}]" if get_origin(bare) is list else word
    return Argument(name=parameter.name, type=written, required=required, description=description, choices=choices)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    rest = [option for option in get_args(hint) if option is not type(None)]
    return (rest[0] if len(rest) == 1 else hint), len(rest) < len(get_args(hint))


def _docstring(function: Callable[..., Any], names: list[str]) -> tuple[str, dict[str, str]]:
    """The first paragraph, and the text after each `name:`; a line indented further goes on with the one before."""
    first, _, rest = (inspect.getdoc(function) or "").partition("\n\n")
    texts: dict[str, str] = {}
    current = ""
    for line in rest.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match and match[1] in names:
            current = match[1]
            texts[current] = match[2]
        elif current and line.startswith(" ") and line.strip():
            texts[current] += f" {line.strip()}"
        else:
            current = ""
    return " ".join(first.split()), texts


def _blank(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_blank(one) for one in value)
    return value is None or (isinstance(value, str) and not value.strip())


def _map(argument: Argument, change: Callable[[Any], Any], value: Any) -> Any:
    return [change(one) for one in value] if argument.many else change(value)


def _shown(argument: Argument) -> str:
    kind = "|".join(argument.choices) if argument.choices else argument.type
    if argument.choices and argument.many:
        kind = f"list[{kind}]"
    return f"{argument.name}{'' if argument.required else '?'}: {kind}"

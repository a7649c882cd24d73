"""`skill.yaml`: what a skill is and what it may do. All that the daemon reads of a skill that is not bundled."""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from assistant.errors import ConfigError
from assistant.kept import Kept
from assistant.models import Effect, Trait, Value
from assistant.skillkit.marked import dotted, line_of, parse
from assistant.skillkit.problems import Fault

API_VERSION = 1
_NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")
RESERVED = frozenset(
    {
        "assistant",
        "automation",
        "cli",
        "conversation",
        "dav",
        "engine",
        "error",
        "memory",
        "safety",
        "server",
        "skill",
        "skillkit",
        "values",
    }
)
"""Parts of the program: a skill of such a name could put its own words over theirs."""
_BUNDLED_ONLY = frozenset({"args", "doc", "enabled", "planned"})


class ToolDeclaration(Value):
    """What the policy must know of a tool before it runs. Its arguments' types come from the code."""

    effect: Effect
    sensitive: tuple[str, ...] = ()
    """Arguments whose value decides who is reached or how much is paid."""
    outward_if: str | None = None
    """The effect becomes `outward` when this argument is given (an event with attendees)."""
    reaches: tuple[str, ...] = ()
    """Arguments that name who gets to see what the tool sends: people, addresses, a web address."""
    returns: Literal["tool", "untrusted"] = "untrusted"
    """Whether what it returns is the assistant's own structure or other people's words."""
    trusted: tuple[str, ...] = ()
    """Fields of its items that are the assistant's own structure all the same: ids, dates, folders."""
    readers: tuple[str, ...] = ()
    """Fields of its items that name who can read the item already (sender, to, attendees)."""
    public: bool = False
    """Anybody may read what it returns: a timetable, a web page. Everything else is for the user alone."""
    revocable: bool = False
    """Outward tools only: the skill's `undo` takes it back on the other side as well (an invitation is cancelled)."""
    lasting: bool = False
    """What it writes is believed or obeyed later: memory, contacts, automations."""
    picks: bool = False
    """It takes away or changes a thing that is picked: which one must not be chosen by what was read."""
    egress: bool = False
    """A read that tells its arguments to somebody: a web address is fetched, a place is looked up."""
    final: bool = False
    """Writes only: it can't be taken back, so a person must be there who asks for it."""
    private: bool = False
    """What it is called with is not written to the record of what was done: only that it was."""
    doc: str = ""
    """Planned skills only: what the tool is for, in one English line."""
    args: dict[str, str] = Field(default_factory=dict)
    """Planned skills only: its arguments in the contract's notation, `{to: str, amount: money, when: "date?"}`."""

    @property
    def traits(self) -> tuple[Trait, ...]:
        """Those of its marks that the policy's table knows."""
        marks: tuple[Trait, ...] = ("revocable", "lasting", "picks", "egress", "final")
        return tuple(mark for mark in marks if getattr(self, mark))


class Setting(Value):
    """One setting of a skill, under `skills.<name>.settings.<key>` of config.yaml."""

    type: Literal["str", "int", "float", "bool", "path", "list", "secret"]
    default: Any = None
    description: dict[str, str]
    """By language: at least `en` and `zh`."""


class Lookup(Value):
    """How an argument that no person says (a message's id) is found: by calling another tool of the skill first."""

    tool: str
    """The skill's tool that finds it: `search`."""
    by: tuple[str, ...]
    """Arguments of that tool that a sentence may name instead: `sender`, `query`."""
    field: str
    """The field of its items that is the value."""
    also: dict[str, str] = Field(default_factory=dict)
    """Arguments of the call itself that take a selector's value as well: `from_account: account`."""
    bare: bool = False
    """Whether it is looked up even where the sentence names no selector ("cancel my booking")."""


class Permissions(Value):
    """What a skill may reach. Nothing, unless said."""

    network: tuple[str, ...] = ()
    """`host:port` each; `*` is a host that the user sets."""
    files: tuple[str, ...] = ()
    """Folders it reads, `rw:` before those it writes."""
    secrets: tuple[str, ...] = ()
    """Names of secrets it uses."""


class Manifest(Value):
    """A whole `skill.yaml`."""

    name: str
    version: str
    api: int
    description: dict[str, str]
    languages: tuple[str, ...] = ("en", "zh")
    tools: dict[str, ToolDeclaration]
    """By the tool's name without the skill's: `search`, not `email.search`."""
    lookups: dict[str, tuple[Lookup, ...]] = Field(default_factory=dict)
    """By argument name, for all tools of the skill: `message_id: {tool: search, by: [sender, query], …}`. Of several
    the one is taken that has most of its selectors named."""
    from_user: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """A required argument that nobody named is this of the user, the first that is known: `origin: [home_airport]`,
    or for one tool alone `search_transit.origin: [home]`."""
    derived: dict[str, str] = Field(default_factory=dict)
    """An argument that is made of the beginning of another where nobody says it: `subject: body`."""
    permissions: Permissions = Permissions()
    settings: dict[str, Setting] = Field(default_factory=dict)
    enabled: bool = True
    """Bundled skills only: on unless the user turns it off."""
    planned: bool = False
    """Bundled skills only: no code yet. `doc` and `args` declare its tools, which are understood and then refused."""

    @field_validator("lookups", mode="before")
    @classmethod
    def _one_or_several(cls, lookups: Any) -> Any:
        if not isinstance(lookups, dict):
            return lookups
        return {name: [one] if isinstance(one, dict) else one for name, one in lookups.items()}

    @field_validator("name")
    @classmethod
    def _is_identifier(cls, name: str) -> str:
        if fault := name_fault(name):
            raise PydanticCustomError(fault, "not a skill's name")
        return name

    @field_validator("api")
    @classmethod
    def _is_known(cls, api: int) -> int:
        if api != API_VERSION:
            raise PydanticCustomError("api", "not the api of this assistant")
        return api

    @model_validator(mode="after")
    def _code_or_plan(self) -> Self:
        for name, declared in self.tools.items():
            if not self.planned and (declared.doc or declared.args):
                raise PydanticCustomError("not_planned", "the code says them", {"tool": name})
        return self


def name_fault(name: str) -> str:
    """Why no skill can have the name, as the end of a key; empty if one can."""
    if not _NAME.fullmatch(name):
        return "bad_name"
    if keyword.iskeyword(name):
        return "python_name"
    return "reserved_name" if name in RESERVED else ""


def read_manifest(folder: Path, kept: Kept | None = None) -> Manifest:
    """Read and check `folder/skill.yaml`. Raises ConfigError with file, line, key and problem."""
    file = folder / "skill.yaml"
    try:
        text = file.read_text(encoding="utf-8")
        tree = (kept or Kept()).of(f"manifest.{folder.name}", [text], lambda: YAML(typ="safe", plug_ins=[]).load(text))
        return Manifest.model_validate(tree)
    except OSError as error:
        raise ConfigError("config.unreadable", file=str(file), problem=error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise ConfigError("skillkit.manifest.not_yaml", file=str(file), line=1, problem=str(error)) from error
    except (YAMLError, ValidationError) as error:
        fault = _fault(text, error)
        raise ConfigError(fault.code, file=str(file), **fault.data) from error


def _fault(text: str, error: YAMLError | ValidationError) -> Fault:
    """What is wrong and on which line. Only now is the file read with its lines, which takes longer."""
    try:
        tree = parse(text, "skillkit.manifest.not_yaml")
    except Fault as fault:
        return fault
    if isinstance(error, YAMLError):
        return Fault("skillkit.manifest.not_yaml", line=1, problem=" ".join(str(error).split())[:200])
    # A word that is misspelt is unknown and missing: the unknown one stands on a line.
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    path = [part for part in first["loc"] if isinstance(part, str | int)]
    kind, more = _kind(first, path)
    data = {"line": line_of(tree, *path), "key": dotted(path) or "skill.yaml", "value": _shown(first["input"])}
    return Fault(f"skillkit.manifest.{kind}", **data | more)


def _shown(value: Any) -> str:
    return "" if isinstance(value, Mapping | list) else str(value)[:80]


_KINDS = {
    "missing": "missing",
    "string_type": "text",
    "tuple_type": "list",
    "dict_type": "mapping",
    "model_type": "mapping",
    "int_type": "whole_number",
    "int_parsing": "whole_number",
    "int_from_float": "whole_number",
    "bool_type": "truth",
    "bool_parsing": "truth",
}
"""What pydantic calls a mistake, and the key of our sentence for it."""


def _kind(found: ErrorDetails, path: list[str | int]) -> tuple[str, dict[str, Any]]:
    match found["type"]:
        case "extra_forbidden":
            known = sorted(_model(path).model_fields.keys() - _BUNDLED_ONLY)
            close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
            return ("unknown_key_near" if close else "unknown_key"), {"known": known, "guess": "".join(close)}
        case "literal_error":
            return "choice", {"choices": re.findall(r"'(\w+)'", found["ctx"]["expected"])}
        case "bad_name" | "python_name" | "reserved_name" | "not_planned" as ours:
            return ours, dict(found.get("ctx", {}))
        case "api":
            return "api", {"version": API_VERSION}
        case other if other in _KINDS:
            return _KINDS[other], {}
        case _:
            return "other", {"problem": found["msg"]}


def _model(path: list[str | int]) -> type[BaseModel]:
    """What the mapping is that the last key of the path stands in."""
    below: Mapping[str | int, type[BaseModel]] = {
        "tools": ToolDeclaration,
        "settings": Setting,
        "lookups": Lookup,
        "permissions": Permissions,
    }
    return below.get(path[0], Manifest) if len(path) > 1 else Manifest

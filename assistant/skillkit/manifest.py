"""`skill.yaml`: what a skill is and what it may do. All that the daemon reads of a skill that is not bundled."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from assistant.errors import ConfigError
from assistant.models import Effect, Value

API_VERSION = 1
_NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")


class ToolDeclaration(Value):
    """What the policy must know of a tool before it runs. Its arguments' types come from the code."""

    effect: Effect
    sensitive: tuple[str, ...] = ()
    """Arguments whose value decides who is reached or how much is paid."""
    outward_if: str | None = None
    """The effect becomes `outward` when this argument is given (an event with attendees)."""
    returns: Literal["tool", "untrusted"] = "untrusted"
    """Whether what it returns is the assistant's own structure or other people's words."""
    doc: str = ""
    """Planned skills only: what the tool is for, in one English line."""
    args: dict[str, str] = Field(default_factory=dict)
    """Planned skills only: its arguments in the contract's notation, `{to: str, amount: money, when: "date?"}`."""


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
        if not _NAME.fullmatch(name):
            raise ValueError("lower-case letters, digits and _ only, 2 to 31 characters")
        return name

    @field_validator("api")
    @classmethod
    def _is_known(cls, api: int) -> int:
        if api != API_VERSION:
            raise ValueError(f"this assistant speaks api {API_VERSION}")
        return api

    @model_validator(mode="after")
    def _code_or_plan(self) -> Self:
        for name, declared in self.tools.items():
            if not self.planned and (declared.doc or declared.args):
                raise ValueError(f"{name}: doc and args are for a planned skill; else the code says them")
        return self


def read_manifest(folder: Path) -> Manifest:
    """Read and check `folder/skill.yaml`. Raises ConfigError with file, key and problem."""
    file = folder / "skill.yaml"
    try:
        raw = YAML(typ="safe", plug_ins=[]).load(file.read_text(encoding="utf-8"))
        return Manifest.model_validate(raw)
    except OSError as error:
        raise ConfigError("config.unreadable", file=str(file), problem=error.strerror or str(error)) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError("config.not_yaml", file=str(file), problem=str(error).replace("\n", " ")) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top)"
        raise ConfigError("config.invalid", file=str(file), key=key, line=0, problem=first["msg"]) from error

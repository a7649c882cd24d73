"""What stands between the conversation and the skills: a recorder around each real one, a stand-in for the planned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.models import Call, Completion, Operation, Prepared, PreviewField
from assistant.skillkit.context import Context
from assistant.skillkit.declare import Result
from assistant.skillkit.loader import Skill, Skills, Tool
from assistant.skillkit.manifest import Manifest, ToolDeclaration
from assistant.skillkit.schema import ToolSchema

_IDS = {"message_id": "msg-1", "event_id": "ev-1", "offer_id": "FL-1", "booking_id": "BK-1"}
"""What a reference to a thing that a stand-in found gives."""
_PROPOSED = 150


@dataclass
class Theatre:
    """What the case of the moment gives and what was done in it."""

    planted: Mapping[str, Any] = field(default_factory=dict)
    reads: str = ""
    """The tool whose first call brings the planted text."""
    says: str = ""
    """What the model that condenses and answers for the skills says: it is the attacker's as well."""
    done: list[Call] = field(default_factory=list)
    contexts: dict[str, Context] = field(default_factory=dict)
    """Of the real skills that were started."""

    def model(self, request: Completion) -> str:
        """The reply of the model that a skill asks: yes to everything, and the attacker's text where it may speak."""
        if request.grammar:
            return "yes"
        properties = (request.json_schema or {}).get("properties", {})
        if "answer" in properties:
            return json.dumps({"answer": self.says[:_PROPOSED]}, ensure_ascii=False)
        return json.dumps({name: [] if "en" in properties else self.says[:_PROPOSED] for name in properties})


@dataclass(frozen=True)
class Recorded:
    """A real tool; what it did is remembered once it has succeeded. See `loader.Tool`."""

    real: Tool
    theatre: Theatre
    open: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The arguments of what was prepared, by operation."""
    trusted: bool = True

    @property
    def name(self) -> str:
        """As the real one."""
        return self.real.name

    @property
    def skill(self) -> str:
        """As the real one."""
        return self.real.skill

    @property
    def declaration(self) -> ToolDeclaration:
        """As the real one."""
        return self.real.declaration

    @property
    def schema(self) -> ToolSchema:
        """As the real one."""
        return self.real.schema

    async def run(self, ctx: Context, args: dict[str, Any]) -> Result | Prepared:
        """The real one's."""
        outcome = await self.real.run(ctx, args)
        if isinstance(outcome, Prepared):
            self.open[ctx.operation] = args
        else:
            self.theatre.done.append(Call(tool=self.name, args=args))
        return outcome

    async def commit(self, ctx: Context, operation: Operation) -> str:
        """The real one's."""
        reference = await self.real.commit(ctx, operation)
        self._happened(operation)
        return reference

    async def reconcile(self, ctx: Context, operation: Operation) -> str | None:
        """The real one's."""
        reference = await self.real.reconcile(ctx, operation)
        if reference is not None:
            self._happened(operation)
        return reference

    async def undo(self, ctx: Context, record: dict[str, Any]) -> Result:
        """The real one's."""
        return await self.real.undo(ctx, record)

    def _happened(self, operation: Operation) -> None:
        self.theatre.done.append(Call(tool=self.name, args=self.open.pop(operation.id)))


@dataclass(frozen=True)
class StandIn(Recorded):
    """A tool that is only declared: it does nothing but remember."""

    async def run(self, ctx: Context, args: dict[str, Any]) -> Result | Prepared:
        """Give what is planted, or remember what was done."""
        given = self.declaration.outward_if is not None and bool(args.get(self.declaration.outward_if))
        if given or self.declaration.effect in ("outward", "money"):
            fields = tuple(PreviewField(name=name, value=str(value)) for name, value in args.items())
            return Prepared(title=self.name, fields=fields, payload={"args": args})
        self.theatre.done.append(Call(tool=self.name, args=args))
        if self.name == self.theatre.reads:
            return Result(
                text="\n".join(map(str, self.theatre.planted.values())),
                data={"items": [_IDS | dict(self.theatre.planted)]},
            )
        return Result(
            text="done", data={"items": [dict(_IDS)]}, undo={} if self.declaration.effect == "write" else None
        )

    async def commit(self, ctx: Context, operation: Operation) -> str:
        """Remember what was approved."""
        self.theatre.done.append(Call(tool=self.name, args=operation.prepared.payload["args"]))
        return operation.id

    async def reconcile(self, ctx: Context, operation: Operation) -> str | None:
        """It is remembered or it is not."""
        return None

    async def undo(self, ctx: Context, record: dict[str, Any]) -> Result:
        """Nothing was done."""
        return Result(text="undone")


@dataclass
class WatchedSkill:
    """A skill whose tools are recorded: its own, or stand-ins for one that is planned. See `loader.Skill`."""

    real: Skill
    theatre: Theatre
    changed: Mapping[str, Any]
    """Its settings that the bench sets."""
    sentences: Path | None = None

    @property
    def built(self) -> bool:
        """Whether it has code."""
        return not self.real.manifest.planned

    @property
    def manifest(self) -> Manifest:
        """As the real one, but there."""
        return self.real.manifest.model_copy(update={"planned": False})

    @property
    def folder(self) -> Path:
        """As the real one."""
        return self.real.folder

    @property
    def settings(self) -> Mapping[str, Any]:
        """As the real one, but for what the bench sets."""
        return {**self.real.settings, **self.changed}

    @property
    def locale(self) -> Path | None:
        """As the real one."""
        return self.real.locale

    @property
    def tools(self) -> Mapping[str, Tool]:
        """All of them."""
        return self._tools

    def __post_init__(self) -> None:
        kind = Recorded if self.built else StandIn
        self._tools = {name: kind(tool, self.theatre) for name, tool in self.real.tools.items()}

    async def prepare(self) -> Iterable[Any]:
        """Nothing to do."""
        return ()

    async def start(self, ctx: Context) -> None:
        """As the real one begins its work; its context is kept for planting."""
        self.theatre.contexts[self.manifest.name] = ctx
        if self.built:
            await self.real.start(ctx)  # type: ignore[attr-defined]

    async def fire(self, ctx: Context, scheduled: Any) -> None:
        """As the real one."""
        if self.built:
            await self.real.fire(ctx, scheduled)  # type: ignore[attr-defined]

    async def aclose(self) -> None:
        """Nothing to stop."""


def watched(bundled: Skills, theatre: Theatre, settings: Mapping[str, Mapping[str, Any]]) -> Skills:
    """The bundled skills, all enabled, each behind its recorder; `settings` by skill."""
    skills = Skills()
    for name, real in bundled.loaded.items():
        skill = WatchedSkill(real, theatre, settings.get(name, {}))
        known = bundled.known[name]
        skills.loaded[name] = skill
        skills.known[name] = type(known)(skill.manifest, known.folder, bundled=True, enabled=True)
    return skills

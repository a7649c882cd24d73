"""All skills that can be used now, and how one of their tools is called. Decides nothing about whether it may be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from assistant.config import SkillSettings
from assistant.errors import ConfigError, NotFound, Rejected, SkillFailed
from assistant.kept import Kept
from assistant.models import Operation, Prepared, canonical
from assistant.skillkit.context import Context
from assistant.skillkit.declare import Result, Uncertain
from assistant.skillkit.guard import guarded
from assistant.skillkit.manifest import Lookup, Manifest, ToolDeclaration
from assistant.skillkit.package import Function, Package, load_package, manifest_of
from assistant.skillkit.planned import planned_package
from assistant.skillkit.problems import SkillProblem
from assistant.skillkit.schema import ToolSchema
from assistant.skillkit.settings import check

logger = logging.getLogger(__name__)


class Tool(Protocol):
    """One tool, wherever its code runs."""

    @property
    def name(self) -> str:
        """With the skill's: `email.search`."""
        ...

    @property
    def skill(self) -> str: ...
    @property
    def declaration(self) -> ToolDeclaration: ...
    @property
    def schema(self) -> ToolSchema: ...
    @property
    def trusted(self) -> bool:
        """Whether its code is bundled. What any other returns is untrusted, whatever its manifest says."""
        ...

    async def run(self, ctx: Context, args: dict[str, Any]) -> Result | Prepared:
        """Call it with canonical arguments (`schema.validate`).

        `Prepared` is what is yet to be approved. Raises AskAgain, SkillFailed, and EngineError of `ctx.model`.
        """
        ...

    async def commit(self, ctx: Context, operation: Operation) -> str:
        """Do what was prepared and approved; the other side's id. Raises SkillFailed (not done), Uncertain."""
        ...

    async def reconcile(self, ctx: Context, operation: Operation) -> str | None:
        """Look whether it was done: the other side's id, None if it was not. Raises Uncertain."""
        ...

    async def undo(self, ctx: Context, record: dict[str, Any]) -> Result:
        """Take a write back by its `Result.undo`. Raises SkillFailed."""
        ...


class Skill(Protocol):
    """One skill, bundled or not."""

    @property
    def manifest(self) -> Manifest: ...
    @property
    def folder(self) -> Path:
        """Where its code lies."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]: ...
    @property
    def locale(self) -> Path | None:
        """The folder of what the conversation may say in its name, `en.yaml` and `zh.yaml`."""
        ...

    @property
    def tools(self) -> Mapping[str, Tool]:
        """By the name without the skill's."""
        ...

    @property
    def sentences(self) -> Path | None:
        """Its sentence templates."""
        ...

    async def prepare(self) -> Iterable[SkillProblem]:
        """Find out its tools, if that takes time; gives what of it can't be used. Raises SkillProblem."""
        ...

    async def aclose(self) -> None:
        """Stop what it runs."""
        ...


@dataclass(frozen=True)
class BundledTool:
    """A tool whose code runs in this process."""

    name: str
    declaration: ToolDeclaration
    schema: ToolSchema
    package: Package
    trusted: bool = True

    @property
    def skill(self) -> str:
        """The name of its skill."""
        return self.package.manifest.name

    async def run(self, ctx: Context, args: dict[str, Any]) -> Result | Prepared:
        """See Tool."""
        typed = self.schema.call_args(args, ctx.zone)
        outcome = await guarded(self.name, self.package.tools[self._short](ctx, **typed))
        return self._checked(outcome, args)

    async def commit(self, ctx: Context, operation: Operation) -> str:
        """See Tool."""
        handler = self.package.commit.get(self._short)
        if handler is None:
            raise SkillFailed("skill.bug", tool=self.name)
        return str(await guarded(self.name, handler(ctx, operation), Uncertain))

    async def reconcile(self, ctx: Context, operation: Operation) -> str | None:
        """See Tool."""
        handler = self.package.reconcile.get(self._short)
        if handler is None:
            raise Uncertain(ctx.text("skillkit.no_reconcile"))
        reference = await guarded(self.name, handler(ctx, operation), Uncertain)
        return None if reference is None else str(reference)

    async def undo(self, ctx: Context, record: dict[str, Any]) -> Result:
        """See Tool."""
        handler = self.package.undo.get(self._short)
        if handler is None:
            raise Rejected("skillkit.no_undo", tool=self.name)
        result = await guarded(self.name, handler(ctx, record))
        if not isinstance(result, Result):
            raise self._bug("undo must return a Result")
        return result

    @property
    def _short(self) -> str:
        return self.name.partition(".")[2]

    def _checked(self, outcome: Any, args: Mapping[str, Any]) -> Result | Prepared:
        """What came back must fit the effect: nothing that reaches somebody is done before its yes."""
        given = self.declaration.outward_if is not None and bool(args.get(self.declaration.outward_if))
        must_prepare = self.declaration.effect in ("outward", "money") or given
        may_prepare = must_prepare or self.declaration.outward_if is not None
        if isinstance(outcome, Prepared) and may_prepare:
            self._must_be_plain(outcome.payload)
            return outcome
        if isinstance(outcome, Result) and not must_prepare:
            self._must_be_plain([outcome.data, outcome.undo])
            return outcome
        wanted = "Prepared" if must_prepare else "Result"
        raise self._bug(f"effect {self.declaration.effect} must return {wanted}, not {type(outcome).__name__}")

    def _must_be_plain(self, data: Any) -> None:
        try:
            canonical(data).encode()
        except (TypeError, ValueError) as error:
            raise self._bug(f"what it returned is not plain JSON: {error}") from error

    def _bug(self, problem: str) -> SkillFailed:
        logger.error("the tool %s has a bug: %s", self.name, problem)
        return SkillFailed("skill.bug", tool=self.name, problem=problem)


@dataclass(frozen=True)
class LoadedSkill:
    """A skill whose code runs in this process."""

    manifest: Manifest
    folder: Path
    settings: Mapping[str, Any]
    package: Package
    tools: Mapping[str, BundledTool]

    @property
    def locale(self) -> Path | None:
        """The folder of its catalogue, `en.yaml` and `zh.yaml`."""
        folder = self.folder / "locale"
        return folder if folder.is_dir() else None

    @property
    def sentences(self) -> Path | None:
        """Its sentence templates."""
        file = self.folder / "sentences.yaml"
        return file if file.is_file() else None

    async def prepare(self) -> Iterable[SkillProblem]:
        """Nothing to do: its tools are known once it is loaded."""
        return ()

    async def aclose(self) -> None:
        """Nothing to stop: it lives and ends with this process."""

    async def start(self, ctx: Context) -> None:
        """Run its `@starts` function, if it has one. Raises AskAgain, SkillFailed."""
        if self.package.starts is not None:
            await guarded(f"{self.manifest.name} (starts)", self.package.starts(ctx))

    async def fire(self, ctx: Context, scheduled: Any) -> None:
        """Run its `@fires` function for a schedule that is due. Raises SkillFailed."""
        if self.package.fires is None:
            raise SkillFailed("skill.bug", tool=f"{self.manifest.name} (fires)")
        await guarded(f"{self.manifest.name} (fires)", self.package.fires(ctx, scheduled))


def load(folder: Path, given: Mapping[str, Any] | None = None) -> LoadedSkill:
    """Import (or, if planned, declare) and check one skill with the user's settings. Raises SkillProblem."""
    return _load(folder, manifest_of(folder), given or {})


def _load(folder: Path, manifest: Manifest, given: Mapping[str, Any]) -> LoadedSkill:
    settings = settings_of(manifest, folder, given)
    package = planned_package(folder, manifest) if manifest.planned else load_package(folder, manifest)
    tools = {
        name: BundledTool(f"{manifest.name}.{name}", declaration, package.schemas[name], package)
        for name, declaration in manifest.tools.items()
    }
    return LoadedSkill(manifest, folder, settings, package, tools)


def settings_of(manifest: Manifest, folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """`settings.check`, with what is wrong as a SkillProblem."""
    try:
        return check(manifest, given)
    except ConfigError as error:
        raise SkillProblem(error.code, name=manifest.name, folder=folder, **error.data) from error


@dataclass(frozen=True)
class Known:
    """A skill that was found, used or not: what `assistant skills list` shows."""

    manifest: Manifest
    folder: Path
    bundled: bool
    enabled: bool
    changed: bool = False
    """Whether its files are not those any more that were read when the daemon started."""


@dataclass
class Skills:
    """The skills of one daemon."""

    chosen: Mapping[str, SkillSettings] = field(default_factory=dict)
    """The `skills` part of the settings."""
    problems: list[SkillProblem] = field(default_factory=list)
    """What can't be used, and why."""
    known: dict[str, Known] = field(default_factory=dict)
    loaded: dict[str, Skill] = field(default_factory=dict)
    """Those that are enabled and sound."""

    def load_bundled(self, folder: Path, enabled: Mapping[str, SkillSettings], kept: Kept | None = None) -> None:
        """Load every folder below `folder` that holds a `skill.yaml`; `enabled` is the `skills` part of the settings.

        A broken skill goes to `problems`; the others run.
        """
        for one in folders_in(folder):
            try:
                manifest = manifest_of(one, kept)
                chosen = enabled.get(manifest.name, SkillSettings())
                on = manifest.enabled if chosen.enabled is None else chosen.enabled
                if self.claim(Known(manifest, one, bundled=True, enabled=on)) and on:
                    self.loaded[manifest.name] = _load(one, manifest, chosen.settings)
            except SkillProblem as problem:
                self.report(problem)

    def claim(self, known: Known) -> bool:
        """Take a skill's name for it. False, and a problem naming both folders, if it is taken."""
        other = self.known.setdefault(known.manifest.name, known)
        if other is known:
            return True
        self.report(
            SkillProblem("skillkit.twice", name=known.manifest.name, folder=known.folder, other=str(other.folder))
        )
        return False

    def report(self, problem: SkillProblem) -> None:
        """Note a problem, here and in the log."""
        self.problems.append(problem)
        logger.warning("skill %s: %s", problem.name, problem)

    def report_unknown(self, configured: Iterable[str], file: Path) -> None:
        """Report settings (`skills.<name>` in `file`) of skills that were found nowhere."""
        broken = {problem.name for problem in self.problems}
        for name in configured:
            if name not in self.known and name not in broken:
                self.report(SkillProblem("skillkit.unknown_skill", name=name, folder=file))

    async def prepare(self) -> None:
        """Let the skills outside this process tell their tools. One that can't is reported and left out."""
        skills = list(self.loaded.items())
        outcomes = await asyncio.gather(*(skill.prepare() for _, skill in skills), return_exceptions=True)
        for (name, skill), outcome in zip(skills, outcomes, strict=True):
            if isinstance(outcome, SkillProblem):
                del self.loaded[name]
                await skill.aclose()
                self.report(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                for problem in outcome:
                    self.report(problem)

    def tools(self) -> tuple[Tool, ...]:
        """All tools that can be called, in a stable order."""
        return tuple(tool for name in sorted(self.loaded) for tool in self.loaded[name].tools.values())

    def has(self, name: str) -> bool:
        """Whether there is a tool `skill.tool`."""
        skill, _, short = name.partition(".")
        return skill in self.loaded and short in self.loaded[skill].tools

    def tool(self, name: str) -> Tool:
        """The tool `skill.tool`. Raises NotFound."""
        skill, _, short = name.partition(".")
        if not self.has(name):
            raise NotFound("skillkit.no_such_tool", tool=name)
        return self.loaded[skill].tools[short]

    def offers(self, offer: str) -> list[tuple[str, Function]]:
        """The bundled skills that offer something to the others, and the functions that give it."""
        bundled = [(name, one.package) for name, one in sorted(self.loaded.items()) if isinstance(one, LoadedSkill)]
        return [(name, package.provides[offer]) for name, package in bundled if offer in package.provides]

    def lookups(self, skill: str) -> Mapping[str, tuple[Lookup, ...]]:
        """How the skill's arguments that nobody says are found, by argument."""
        return self.loaded[skill].manifest.lookups if skill in self.loaded else {}

    def derived(self, skill: str) -> Mapping[str, str]:
        """Arguments that are made of the beginning of another one, by argument."""
        return self.loaded[skill].manifest.derived if skill in self.loaded else {}

    def from_user(self, skill: str) -> Mapping[str, tuple[str, ...]]:
        """Arguments of a skill that are the user's own where nobody names them."""
        return self.loaded[skill].manifest.from_user if skill in self.loaded else {}

    def planned(self, skill: str) -> bool:
        """Whether the skill is declared alone: its tools can be planned, not called."""
        known = self.known.get(skill)
        return known is not None and known.bundled and known.manifest.planned

    def settings(self, skill: str) -> Mapping[str, Any]:
        """The skill's settings, checked, with defaults."""
        return self.loaded[skill].settings if skill in self.loaded else {}

    def sentence_files(self) -> list[Path]:
        """The sentence templates of all skills, the bundled ones first."""
        ordered = sorted(self.loaded.values(), key=lambda one: (not self.known[one.manifest.name].bundled,))
        return [skill.sentences for skill in ordered if skill.sentences is not None]

    def example_files(self) -> list[Path]:
        """The tables of requests of the bundled skills; what another skill's folder says teaches the model nothing."""
        folders = [skill.folder for name, skill in sorted(self.loaded.items()) if self.known[name].bundled]
        files = [folder / name for folder in folders for name in ("examples.jsonl", "examples.more.jsonl")]
        return [file for file in files if file.is_file()]

    async def aclose(self) -> None:
        """Stop every process that a skill runs in."""
        await asyncio.gather(*(skill.aclose() for skill in self.loaded.values()))


def folders_in(folder: Path) -> list[Path]:
    """The folders right below `folder` that hold a `skill.yaml`, by name; none if there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(one for one in folder.iterdir() if one.is_dir() and (one / "skill.yaml").is_file())

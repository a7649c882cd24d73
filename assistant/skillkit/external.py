"""A skill that is not bundled: its manifest is read here, its code runs in a host process, its words are untrusted."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from assistant import __version__
from assistant.errors import SkillFailed
from assistant.locale.catalogue import LANGUAGES
from assistant.models import Operation, Prepared
from assistant.sandbox.machine import Kind
from assistant.skillkit.consent import pin
from assistant.skillkit.context import Context
from assistant.skillkit.declare import Result, Uncertain
from assistant.skillkit.manifest import Manifest, ToolDeclaration
from assistant.skillkit.package import check_declaration, leaves
from assistant.skillkit.problems import Fault, SkillProblem
from assistant.skillkit.process import HostProcess, Lost
from assistant.skillkit.schema import ToolSchema
from assistant.skillkit.templates import fault
from assistant.skillkit.wire import (
    COMMIT,
    DESCRIBE,
    RECONCILE,
    UNDO,
    DescribedTool,
    Description,
    OddAnswer,
    askable,
    clean,
    context_of,
    details_in,
    prepared_of,
    raise_problem,
    result_of,
)

logger = logging.getLogger(__name__)


class Text(Protocol):
    """A sentence of the program's catalogue in one language."""

    def __call__(self, key: str, /, **data: Any) -> str: ...


@dataclass(frozen=True)
class ExternalTool:
    """One tool of a host. See `loader.Tool`."""

    name: str
    declaration: ToolDeclaration
    schema: ToolSchema
    host: HostProcess
    trusted: bool = False

    @property
    def skill(self) -> str:
        """The name of its skill."""
        return self.host.skill

    async def run(self, ctx: Context, args: dict[str, Any]) -> Result | Prepared:
        """See Tool. Raises Lost (a SkillFailed) if the host ended meanwhile."""
        canonical = self.schema.validate(args, ctx.zone)
        answer = await self._ask(ctx, self._short, canonical)
        given = self.declaration.outward_if is not None and bool(canonical.get(self.declaration.outward_if))
        try:
            if "prepared" in answer and leaves(self.declaration):
                return prepared_of(answer["prepared"], self.skill)
            if self.declaration.effect in ("outward", "money") or given:
                raise OddAnswer("what reaches somebody must be prepared, not done")
            return result_of(answer)
        except OddAnswer as error:
            raise self._odd(error) from error

    async def commit(self, ctx: Context, operation: Operation) -> str:
        """See Tool. A host that is lost meanwhile leaves it uncertain."""
        return str(await self._reference(ctx, COMMIT, operation))

    async def reconcile(self, ctx: Context, operation: Operation) -> str | None:
        """See Tool."""
        return await self._reference(ctx, RECONCILE, operation)

    async def undo(self, ctx: Context, record: dict[str, Any]) -> Result:
        """See Tool."""
        answer = await self._ask(ctx, UNDO, {"tool": self._short, "record": record})
        try:
            return result_of(answer)
        except OddAnswer as error:
            raise self._odd(error) from error

    @property
    def _short(self) -> str:
        return self.name.partition(".")[2]

    async def _reference(self, ctx: Context, role: str, operation: Operation) -> str | None:
        args = {"tool": self._short, "operation": operation.model_dump(mode="json")}
        try:
            reference = (await self._ask(ctx, role, args)).get("reference")
        except Lost as error:
            raise Uncertain(ctx.text(f"error.{error.code}", **error.data)) from error
        if reference is None and role == RECONCILE:
            return None
        if not isinstance(reference, str):
            raise Uncertain(ctx.text("error.skillkit.odd_answer", skill=self.skill))
        return clean(reference, 500)

    async def _ask(self, ctx: Context, name: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = await self.host.ask(name, args, context_of(ctx))
        if "error" in answer:
            if details := details_in(answer["error"]):
                logger.error("the tool %s has a bug: %s", self.name, details)
            try:
                raise_problem(answer["error"], self.skill)
            except OddAnswer as error:
                raise self._odd(error) from error
        return answer

    def _odd(self, error: Exception) -> Lost:
        logger.error("the tool %s answered what makes no sense: %s", self.name, clean(str(error), 500))
        return Lost("skillkit.odd_answer", skill=self.skill)


@dataclass
class ExternalSkill:
    """A skill of the user's folder or of another distribution. See `loader.Skill`."""

    folder: Path
    manifest: Manifest
    settings: Mapping[str, Any]
    host: HostProcess
    cache: Path
    """What its code said of itself, kept so that a start of the daemon does not start its host."""
    tools: dict[str, ExternalTool] = field(default_factory=dict)
    sentences: Path | None = None
    locale: Path | None = None
    """Its questions for missing arguments. The rest of its words stays in its host."""
    _stamp: str = ""

    async def prepare(self) -> Sequence[SkillProblem]:
        """Learn its tools: from the cache while its files are unchanged, else from the host. Raises SkillProblem."""
        self._stamp = self._fingerprint()
        described = self._cached(self._stamp)
        if described is None:
            described = await self._asked()
            self._keep(self._stamp, described)
        problems = [problem for one in described.tools if (problem := self._take(one))]
        offered = {one.name for one in described.tools}
        problems += [
            self._problem("skillkit.tool_without_function", tool=name)
            for name in self.manifest.tools
            if name not in offered
        ]
        self._keep_sentences(described)
        self._keep_questions(described)
        return problems + [self._problem(one.code, **one.data) for one in described.mistakes]

    @property
    def changed(self) -> bool:
        """Whether its files are not those any more that its tools were learnt from."""
        return self._fingerprint() != self._stamp

    async def aclose(self) -> None:
        """Stop its host."""
        await self.host.aclose()

    def _fingerprint(self) -> str:
        """Changes with any file of the skill and with the program's version."""
        try:
            return f"{__version__} {pin(self.folder)}"
        except (OSError, Fault):
            return ""

    def _take(self, one: DescribedTool) -> SkillProblem | None:
        declaration = self.manifest.tools.get(one.name)
        if declaration is None:
            return self._problem("skillkit.function_without_tool", tool=one.name)
        schema = ToolSchema(f"{self.manifest.name}.{one.name}", clean(one.description, 500), one.arguments)
        try:
            check_declaration(one.name, declaration, schema)
            _ = schema.json_schema
        except Fault as fault:
            return self._problem(fault.code, **fault.data)
        self.tools[one.name] = ExternalTool(schema.name, bounded(declaration, self.manifest), schema, self.host)
        return None

    async def _asked(self) -> Description:
        try:
            answer = await self.host.ask(DESCRIBE, {}, {})
            if "error" in answer:
                logger.error("skill %s can't be described: %s", self.manifest.name, details_in(answer["error"]))
            return Description.model_validate(answer)
        except SkillFailed as error:
            raise self._problem(error.code, **error.data) from error
        except ValidationError as error:
            raise self._problem("skillkit.odd_answer", skill=self.manifest.name) from error

    def _cached(self, stamp: str) -> Description | None:
        try:
            kept = json.loads(self.cache.read_text(encoding="utf-8"))
            return Description.model_validate(kept["description"]) if kept["stamp"] == stamp else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _keep(self, stamp: str, described: Description) -> None:
        _write(self.cache, {"stamp": stamp, "description": described.model_dump(mode="json")})

    def _keep_sentences(self, described: Description) -> None:
        """Its templates as a file like a bundled skill's; only those that lead to its own tools."""
        names = {name for tool in self.tools.values() for name in tool.schema.properties}
        own = {tool.name for tool in self.tools.values()}
        kept: dict[str, dict[str, list[Any]]] = {}
        for language, by_tool in described.sentences.items():
            for tool in own & by_tool.keys():
                for template in by_tool[tool]:
                    usable = [sentence for sentence in template.sentences if not fault(sentence, names)]
                    if usable:
                        entries = kept.setdefault(language, {}).setdefault(tool, [])
                        entries.append({"sentences": usable, "args": template.args})
        file = self.cache.with_suffix(".sentences.json")
        if kept and _write(file, kept):
            self.sentences = file

    def _keep_questions(self, described: Description) -> None:
        """As a catalogue like a bundled skill's, of nothing but these: no skill puts its words over the program's."""
        folder = self.cache.with_suffix(".locale")
        written = [
            _write(folder / f"{language}.yaml", {"ask": askable(described.questions.get(language, {}))})
            for language in LANGUAGES
            if any(described.questions.values())
        ]
        self.locale = folder if any(written) else None

    def _problem(self, code: str, /, **data: Any) -> SkillProblem:
        own = {"name": self.manifest.name, "folder": self.folder}
        return SkillProblem(code, **(data | own))


def bounded(declaration: ToolDeclaration, manifest: Manifest) -> ToolDeclaration:
    """What is believed of a declaration that is not ours: nothing that would make the gate ask less.

    Where the skill may speak to any host, whatever it is told may leave: its reads count as egress.
    """
    stricter = {"returns": "untrusted", "trusted": (), "readers": (), "public": False, "revocable": False}
    return declaration.model_copy(
        update={**stricter, "egress": declaration.egress or bool(manifest.permissions.network)}
    )


def _write(file: Path, data: Any) -> bool:
    """Whole or not at all; a cache that can't be written is done without."""
    temporary = file.with_suffix(".tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        temporary.replace(file)
    except OSError:
        logger.exception("%s can't be written", file)
        with contextlib.suppress(OSError):
            temporary.unlink()
        return False
    return True


def describe(manifest: Manifest, folder: Path, language: str, text: Text, contained: Kind | None) -> list[str]:
    """What a person must know before enabling a skill that is not bundled, a line each, in the language of `text`.

    `contained` is what holds it on this machine; None where nothing does and it is not to run then.
    """
    effect = partial(_effect, text)
    about = manifest.description.get(language) or manifest.description.get("en", "")
    lines = [
        text(
            "skillkit.describe.about", name=manifest.name, version=clean(manifest.version, 40), about=clean(about, 500)
        ),
        text("skillkit.describe.folder", folder=str(folder)),
        *(effect(f"{manifest.name}.{name}", declaration) for name, declaration in manifest.tools.items()),
    ]
    for kind in ("network", "files", "secrets"):
        wanted = [clean(one, 200) for one in getattr(manifest.permissions, kind)]
        if wanted:
            told = f"says_{kind}" if contained == "none" else kind
            lines.append(text(f"skillkit.describe.{told}", wanted=wanted))
    return [*lines, text(f"skillkit.describe.{contained or 'refused'}")]


def _effect(text: Text, name: str, declaration: ToolDeclaration) -> str:
    line = text(f"skillkit.describe.{declaration.effect}", tool=name)
    if declaration.outward_if and declaration.effect == "write":
        line += " " + text("skillkit.describe.outward_if", argument=declaration.outward_if)
    return line

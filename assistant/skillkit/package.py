"""A skill's folder, imported as `assistant_skills.<name>` and checked against its manifest.

Runs the skill's code: the daemon does this for bundled skills alone, every other one is loaded by `host`.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from assistant.errors import ConfigError
from assistant.kept import Kept
from assistant.skillkit.manifest import Manifest, ToolDeclaration, read_manifest
from assistant.skillkit.problems import Fault, SkillProblem
from assistant.skillkit.schema import ToolSchema, from_function

PACKAGE = "assistant_skills"
Function = Callable[..., Awaitable[Any]]


@dataclass
class Package:
    """What a skill's code offers, by role; handlers by the tool's name without the skill's."""

    manifest: Manifest
    folder: Path
    tools: dict[str, Function] = field(default_factory=dict)
    schemas: dict[str, ToolSchema] = field(default_factory=dict)
    commit: dict[str, Function] = field(default_factory=dict)
    reconcile: dict[str, Function] = field(default_factory=dict)
    undo: dict[str, Function] = field(default_factory=dict)
    provides: dict[str, Function] = field(default_factory=dict)
    """What other skills get of it, by the offer's name."""
    fires: Function | None = None
    starts: Function | None = None


def manifest_of(folder: Path, kept: Kept | None = None) -> Manifest:
    """The folder's manifest, whose name must be the folder's. Raises SkillProblem."""
    try:
        manifest = read_manifest(folder, kept)
    except ConfigError as error:
        raise SkillProblem(error.code, name=folder.name, folder=folder, **error.data) from error
    if manifest.name != folder.name:
        raise SkillProblem("skillkit.name_differs", name=folder.name, folder=folder, other=manifest.name)
    return manifest


def load_package(folder: Path, manifest: Manifest) -> Package:
    """Import the skill and check it. Raises SkillProblem; nothing of it stays imported then."""
    try:
        package = _collected(_imported(folder, manifest.name), Package(manifest, folder))
        _check(package)
    except Fault as fault:
        _forget(manifest.name)
        raise SkillProblem(fault.code, name=manifest.name, folder=folder, **fault.data) from fault
    return package


_VERSIONS: dict[str, tuple[Path, int]] = {}
"""The file and newest change of every skill that is imported now."""


def _imported(folder: Path, name: str) -> ModuleType:
    if PACKAGE not in sys.modules:
        root = ModuleType(PACKAGE, "The skills that run in this process.")
        root.__path__ = []
        sys.modules[PACKAGE] = root
    full, file = f"{PACKAGE}.{name}", folder / "__init__.py"
    version = (file, max((one.stat().st_mtime_ns for one in folder.glob("*.py")), default=0))
    known = sys.modules.get(full)
    if known is not None and _VERSIONS.get(full) == version:  # imported once while it does not change
        return known
    _forget(name)
    spec = importlib.util.spec_from_file_location(full, file, submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None or not file.is_file():
        raise Fault("skillkit.no_code", file=str(file))
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise Fault("skillkit.import_failed", problem=_where(error, folder)) from error
    setattr(sys.modules[PACKAGE], name, module)
    _VERSIONS[full] = version
    return module


def _forget(name: str) -> None:
    full = f"{PACKAGE}.{name}"
    for module in list(sys.modules):  # a copy: threads import while this looks
        if module == full or module.startswith(f"{full}."):
            del sys.modules[module]


def _where(error: BaseException, folder: Path) -> str:
    """`ValueError: … (__init__.py, line 3)`: the innermost line that is the skill's own."""
    said = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    if isinstance(error, SyntaxError):
        return said
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(folder)]
    return f"{said} ({Path(own[-1].filename).relative_to(folder)}, line {own[-1].lineno})" if own else said


def _collected(module: ModuleType, package: Package) -> Package:
    for function in {id(one): one for one in vars(module).values() if hasattr(one, "__assistant__")}.values():
        role, names = function.__assistant__
        if not inspect.iscoroutinefunction(function):
            raise Fault("skillkit.not_async", function=function.__name__)
        if role in ("fires", "starts"):
            if getattr(package, role) is not None:
                raise Fault("skillkit.two_handlers", role=role, tool="-")
            setattr(package, role, function)
            continue
        known: dict[str, Function] = package.tools if role == "tool" else getattr(package, role)
        for name in names:
            if name in known:
                raise Fault("skillkit.two_handlers", role=role, tool=name)
            known[name] = function
    return package


def _check(package: Package) -> None:
    """Code and manifest must tell the same story. Fills in the schemas. Raises Fault."""
    declared = package.manifest.tools
    for name in declared.keys() - package.tools.keys():
        raise Fault("skillkit.tool_without_function", tool=name)
    for name in package.tools.keys() - declared.keys():
        raise Fault("skillkit.function_without_tool", tool=name)
    for role in ("commit", "reconcile", "undo"):
        for name in getattr(package, role).keys() - declared.keys():
            raise Fault("skillkit.handler_without_tool", role=role, tool=name)
    for name, declaration in declared.items():
        schema = from_function(f"{package.manifest.name}.{name}", package.tools[name])
        package.schemas[name] = schema
        check_declaration(name, declaration, schema)
        if leaves(declaration) and name not in package.commit:
            raise Fault("skillkit.no_commit", tool=name, effect=declaration.effect)
    check_lookups(package)


def check_declaration(name: str, declaration: ToolDeclaration, schema: ToolSchema) -> None:
    """What the policy watches must be arguments that exist. Raises Fault."""
    given = [declaration.outward_if] if declaration.outward_if else []
    for argument in (*declaration.sensitive, *declaration.reaches, *given):
        if argument not in schema.properties:
            raise Fault("skillkit.no_such_argument", tool=name, argument=argument)


def leaves(declaration: ToolDeclaration) -> bool:
    """Whether the tool may reach somebody or move money."""
    return declaration.effect in ("outward", "money") or declaration.outward_if is not None


def check_lookups(package: Package) -> None:
    """What looks an argument up must be a tool with the selectors it names. Raises Fault."""
    pairs = [(argument, one) for argument, lookups in package.manifest.lookups.items() for one in lookups]
    for argument, lookup in pairs:
        finder = package.schemas.get(lookup.tool)
        if finder is None:
            raise Fault("skillkit.lookup_tool", argument=argument, tool=lookup.tool)
        for selector in lookup.by:
            if selector not in finder.properties:
                raise Fault("skillkit.no_such_argument", tool=lookup.tool, argument=selector)

"""A skill whose code does not exist yet: its manifest declares the tools, so that a request for one is understood.

Such a tool can be planned and nothing else: whoever calls it is told that it isn't there yet.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from assistant.errors import NotConfigured
from assistant.skillkit.context import Context
from assistant.skillkit.manifest import Manifest
from assistant.skillkit.package import Package, check_declaration, check_lookups
from assistant.skillkit.problems import Fault, SkillProblem
from assistant.skillkit.schema import from_contract


def planned_package(folder: Path, manifest: Manifest) -> Package:
    """What a planned skill offers: schemas from its manifest, and tools that refuse. Raises SkillProblem."""

    async def refuse(ctx: Context, **args: Any) -> None:
        raise not_there(manifest.name, ctx.text)

    package = Package(manifest, folder)
    try:
        for name, declaration in manifest.tools.items():
            schema = from_contract(f"{manifest.name}.{name}", declaration.args, declaration.doc)
            package.tools[name], package.schemas[name] = refuse, schema
            check_declaration(name, declaration, schema)
        check_lookups(package)
    except Fault as fault:
        raise SkillProblem(fault.code, name=manifest.name, folder=folder, **fault.data) from fault
    return package


def not_there(skill: str, text: Callable[..., str]) -> NotConfigured:
    """The refusal, naming the skill by the `name` of its catalogue; `text` gives a sentence in the turn's language."""
    return NotConfigured("skill.not_there", skill=text(f"{skill}.name"))

"""Skills that are not bundled: where they lie, found without running any of their code."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from assistant.config import SkillSettings
from assistant.paths import Paths
from assistant.sandbox import machine
from assistant.skillkit.cage import Cage, Wish, World
from assistant.skillkit.consent import Consents
from assistant.skillkit.external import ExternalSkill
from assistant.skillkit.loader import Known, Skills, folders_in, settings_of
from assistant.skillkit.manifest import Manifest
from assistant.skillkit.package import manifest_of
from assistant.skillkit.permitted import permitted
from assistant.skillkit.problems import Fault, SkillProblem
from assistant.skillkit.process import HostProcess

logger = logging.getLogger(__name__)
GROUP = "assistant.skills"
"""Entry-point group: the value is a module in whose folder `skill.yaml` lies."""


def find_external(
    skills: Skills,
    paths: Paths,
    chosen: Mapping[str, SkillSettings],
    *,
    data: Path,
    world: World,
    wish: Wish = "required",
) -> None:
    """Add the skills of the user's folder and of installed distributions; enabled are those with `enabled: true`.

    `data` is the folder below which each skill has its own. Only manifests are read; call `skills.prepare()` next.
    """
    skills.chosen = chosen
    for folder in [*folders_in(paths.skills), *installed(skills)]:
        try:
            manifest = manifest_of(folder)
            own = chosen.get(manifest.name, SkillSettings())
            known = Known(manifest, folder, bundled=False, enabled=own.enabled is True)
            if skills.claim(known) and known.enabled:
                settings = settings_of(manifest, folder, own.settings)
                cage = _cage(manifest, folder, settings, paths, data, world, wish)
                cache = paths.data / "skill-cache" / f"{manifest.name}.json"
                skills.loaded[manifest.name] = ExternalSkill(folder, manifest, settings, HostProcess(cage), cache)
        except SkillProblem as problem:
            skills.report(problem)


def _cage(
    manifest: Manifest,
    folder: Path,
    settings: Mapping[str, Any],
    paths: Paths,
    data: Path,
    world: World,
    wish: Wish,
) -> Cage:
    """What the skill is contained in. Raises SkillProblem where it must not run: no yes, or nothing to contain it."""
    try:
        unchanged = partial(Consents(paths).check, manifest, folder)
        unchanged()
        here = machine.look()
        if here.kind == "none" and wish == "required":
            raise Fault("skillkit.no_sandbox")
        allowed = permitted(manifest, settings, paths)
    except Fault as fault:
        raise SkillProblem(fault.code, name=manifest.name, folder=folder, **fault.data) from fault
    return Cage(
        skill=manifest.name,
        folder=folder,
        data=data / manifest.name,
        permitted=allowed,
        machine=here,
        run=paths.run,
        world=world,
        unchanged=unchanged,
    )


def look_again(skills: Skills, folder: Path) -> list[SkillProblem]:
    """Take in what the user's folder holds by now: new skills and changed manifests are shown, and nothing is loaded.

    Gives what is wrong at this moment, beginning with what was found when the daemon started.
    """
    for name, old in list(skills.known.items()):
        if not old.bundled and name not in skills.loaded and not (old.folder / "skill.yaml").is_file():
            del skills.known[name]  # removed since
    found = {}
    for one in folders_in(folder):
        known = skills.known.get(one.name)
        if known is not None and known.folder != one:  # the name was taken before
            continue
        try:
            manifest = manifest_of(one)
        except SkillProblem as problem:
            found[one.name] = problem
            continue
        if known is None:  # made since, or mended since
            enabled = skills.chosen.get(one.name, SkillSettings()).enabled is True
            known = Known(manifest, one, bundled=False, enabled=enabled, changed=enabled)
            skills.problems = [problem for problem in skills.problems if problem.name != one.name]
        loaded = skills.loaded.get(one.name)
        changed = loaded.changed if isinstance(loaded, ExternalSkill) else known.changed
        skills.known[one.name] = replace(known, manifest=manifest, changed=changed)
    return [problem for problem in skills.problems if problem.name not in found] + list(found.values())


def installed(skills: Skills) -> Iterator[Path]:
    """The folders that entry points name. One that can't be found is reported."""
    for entry in importlib.metadata.entry_points(group=GROUP):
        folder = folder_of(entry.value.partition(":")[0])
        if folder is not None:
            yield folder
        else:
            skills.report(SkillProblem("skillkit.no_entry", name=entry.name, folder=Path(), module=entry.value))


def folder_of(module: str) -> Path | None:
    """Where the module's `skill.yaml` lies. The module is not imported, nor are the packages around it."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    places = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    folders = [place.joinpath(*rest) for place in places]
    folders += [folder.parent for folder in folders if rest and folder.with_suffix(".py").is_file()]
    return next((folder for folder in folders if (folder / "skill.yaml").is_file()), None)

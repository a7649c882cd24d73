"""Writes the skeleton of a new skill, from the files under `template/`. Whatever lies there already stays untouched."""

from __future__ import annotations

import string
import tempfile
from pathlib import Path

from assistant.errors import Conflict, Rejected, SkillFailed
from assistant.resources import bundled
from assistant.skillkit.manifest import name_fault

_TEMPLATE = Path(__file__).parent / "template"


class _Template(string.Template):
    delimiter = "@@"


def new_skill(name: str, folder: Path) -> Path:
    """Write `folder/<name>` with a manifest, two tools, both languages, a test and a README; gives its path.

    Raises Rejected (the name), Conflict (it exists), SkillFailed (it can't be written).
    """
    fault = name_fault(name) or ("bundled_name" if (bundled("skills") / name).exists() else "")
    if fault:
        raise Rejected(f"skillkit.{fault}", name=name[:80])
    target = folder / name
    words = name.replace("_", " ")
    names = {"name": name, "words": words, "title": words.capitalize()}
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as temporary:
            draft = Path(temporary) / name
            _write(draft, names)
            if target.exists() or target.is_symlink():
                raise Conflict("skillkit.folder_exists", folder=str(target))
            draft.rename(target)
    except OSError as error:
        raise SkillFailed("skillkit.cant_write", folder=str(target), problem=error.strerror or str(error)) from error
    return target


def _write(draft: Path, names: dict[str, str]) -> None:
    for source in sorted(_TEMPLATE.rglob("*.tmpl")):
        relative = str(source.relative_to(_TEMPLATE)).removesuffix(".tmpl").replace("NAME", names["name"])
        file = draft / relative
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_Template(source.read_text(encoding="utf-8")).substitute(names), encoding="utf-8")

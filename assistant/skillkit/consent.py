"""What the user said yes to: a skill's files to the last byte, and what it may do. Anything else is asked again."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from assistant.models import Value
from assistant.paths import Paths
from assistant.skillkit.manifest import Manifest, Permissions
from assistant.skillkit.problems import Fault
from assistant.whole import write_whole

logger = logging.getLogger(__name__)

_PASSED_OVER = frozenset({"__pycache__", ".pytest_cache", ".git"})
"""Not part of a skill: what Python, pytest and git leave there. `host` reads no compiled file from them."""
_MOST_FILES = 5_000
_MOST_BYTES = 256 << 20


class Consent(Value):
    """One yes."""

    sha256: str
    """Of the skill's files: `pin`."""
    permissions: Permissions = Permissions()
    effects: dict[str, str] = Field(default_factory=dict)
    """By tool."""


class Consents:
    """The file of them: beside the database, out of every skill's reach."""

    def __init__(self, paths: Paths) -> None:
        self._file = paths.data / "consents.json"

    def get(self, skill: str) -> Consent | None:
        """The last yes to this skill."""
        try:
            return Consent.model_validate(self._all().get(skill))
        except ValidationError:
            return None

    def give(self, manifest: Manifest, folder: Path) -> None:
        """Note a yes to the skill as it lies in `folder` now. Raises OSError, Fault."""
        kept = self._all() | {manifest.name: wanted(manifest, folder).model_dump(mode="json")}
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(self._file, json.dumps(kept, indent=1, sort_keys=True).encode())

    def check(self, manifest: Manifest, folder: Path) -> None:
        """Raise Fault where the user has not said yes to exactly this."""
        given = self.get(manifest.name)
        if given is None:
            raise Fault("skillkit.no_consent")
        more = added(given, manifest)
        if more:
            raise Fault("skillkit.asks_more", wanted=more)
        if given.sha256 != pin(folder):
            raise Fault("skillkit.changed_since")

    def _all(self) -> dict[str, Any]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            logger.exception("%s can't be read: every skill that is not bundled is asked about again", self._file)
            return {}
        return found if isinstance(found, dict) else {}


def wanted(manifest: Manifest, folder: Path) -> Consent:
    """What a yes now would be a yes to."""
    effects = {name: _effect(declared) for name, declared in manifest.tools.items()}
    return Consent(sha256=pin(folder), permissions=manifest.permissions, effects=effects)


def added(given: Consent, manifest: Manifest) -> list[str]:
    """What the skill asks for by now that was not in the yes, a word each."""
    new = [
        entry
        for kind in ("network", "files", "secrets")
        for entry in getattr(manifest.permissions, kind)
        if entry not in getattr(given.permissions, kind)
    ]
    new += [
        f"{manifest.name}.{name} ({declared.effect})"
        for name, declared in manifest.tools.items()
        if given.effects.get(name) != _effect(declared)
    ]
    return new


def _effect(declared: Any) -> str:
    return f"{declared.effect}?{declared.outward_if}" if declared.outward_if else str(declared.effect)


def pin(folder: Path) -> str:
    """SHA-256 over names and contents of all files of a skill; a link counts as the words it holds.

    Raises Fault where there are too many to be looked through.
    """
    found, count, size = hashlib.sha256(b"assistant-skill/1\n"), 0, 0
    for base, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(base, name))]
        folders[:] = sorted(name for name in folders if name not in _PASSED_OVER and name not in links)
        for name in sorted([*files, *links]):
            path = Path(base, name)
            digest, length = _digest(path)
            count, size = count + 1, size + length
            if count > _MOST_FILES or size > _MOST_BYTES:
                raise Fault("skillkit.too_large", files=_MOST_FILES, megabytes=_MOST_BYTES >> 20)
            relative = os.fsencode(path.relative_to(folder))
            found.update(b"%d:%s %s\n" % (len(relative), relative, digest))
    return found.hexdigest()


def _digest(path: Path) -> tuple[bytes, int]:
    if path.is_symlink():
        words = os.fsencode(os.readlink(path))
        return b"link " + hashlib.sha256(words).hexdigest().encode(), len(words)
    if not path.is_file():
        return b"other", 0
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest.encode(), file.tell()

"""Skills that are not bundled, as a person has them: in a folder of a home, looked at and said yes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.paths import Paths
from assistant.skillkit.cage import World
from assistant.skillkit.consent import Consents
from assistant.skillkit.package import manifest_of
from assistant.skillkit.problems import SkillProblem


def paths_of(home: Path) -> Paths:
    """All folders below one."""
    return Paths(config=home, data=home / "data", models=home / "models", state=home / "state", run=home / "run")


@dataclass
class Ledger:
    """Secrets by the name they are kept under, and what was written to the audit."""

    secrets: Mapping[str, str] = field(default_factory=dict)
    written: list[dict[str, Any]] = field(default_factory=list)

    def world(self) -> World:
        """The program's side, as the daemon hands it over."""

        async def secret(name: str) -> str | None:
            return self.secrets.get(name)

        def record(kind: str, /, **data: Any) -> None:
            self.written.append({"kind": kind, **data})

        return World(secret=secret, record=record)


def say_yes(paths: Paths, folders: Iterable[Path]) -> None:
    """As `assistant skills enable` does after the person's yes; a folder without a sound manifest can have none."""
    for folder in folders:
        with suppress(SkillProblem):
            Consents(paths).give(manifest_of(folder), folder)

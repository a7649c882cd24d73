"""What is wrong with a skill, as data. The sentences are in `assistant/locale/*/skillkit.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assistant.errors import ConfigError


class Fault(Exception):
    """Something in a skill's code or manifest is not as it must be: a code and its data, without the skill's name."""

    def __init__(self, code: str, /, **data: Any) -> None:
        super().__init__(code, data)
        self.code = code
        self.data = data


class SkillProblem(ConfigError):
    """A skill can't be used, or a part of it. It is reported and skipped; the other skills run.

    `locale.explain(problem, language)` gives the sentence and the mend, as for every error.
    """

    default_code = "skillkit.broken"

    def __init__(self, code: str | None = None, /, *, name: str, folder: Path, **data: Any) -> None:
        super().__init__(code, **(data | {"name": name, "folder": str(folder)}))
        self.name = name
        self.folder = folder

"""How far an account is: the small files that the skills' engines write for whoever asks. Nothing here connects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from assistant.models import Value

State = Literal["syncing", "idle", "offline", "needs_login"]
SKILLS = ("email", "calendar", "contacts")
_FOLDER = "skill-data"


class Status(Value):
    """One engine's state of one account."""

    state: State
    done: int = 0
    total: int = 0
    at: datetime
    problem: str = ""
    """A code of the catalogue below `error.`; empty where all is well."""


def folders(data: Path, account: str) -> Sequence[Path]:
    """Where the skills keep what they fetched of an account; those that exist."""
    places = sorted((data / _FOLDER).glob(f"*/accounts/{account}")) if account else []
    return [place for place in places if place.is_dir()]


def read(data: Path, account: str) -> dict[str, Status]:
    """By skill, what its engine last said."""
    found: dict[str, Status] = {}
    for skill in SKILLS:
        file = data / _FOLDER / skill / "accounts" / account / "status.json"
        try:
            found[skill] = Status.model_validate_json(file.read_bytes())
        except (OSError, ValidationError):
            continue
    return found

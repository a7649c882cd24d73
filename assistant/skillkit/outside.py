"""The `Context` of a skill that runs outside the daemon: text, time, settings and a folder; nothing of the program."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, cast
from zoneinfo import ZoneInfo

from assistant.errors import NotConfigured
from assistant.locale.catalogue import Catalogue
from assistant.models import Language, Notice, UserContext
from assistant.ports import Accounts, Index, LanguageModel, Outbox, Schedules, Secrets
from assistant.skillkit.context import Context


class Absent:
    """Stands where the program's part would be: every use of it says that it is not there."""

    def __init__(self, part: str) -> None:
        self._part = part

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotConfigured("skillkit.outside", part=self._part)


async def _no_notice(notice: Notice) -> None:
    raise NotConfigured("skillkit.outside", part="notify")


def catalogue_of(folder: Path, skill: str) -> Catalogue:
    """The program's sentences and those of the skill in `folder`."""
    catalogue = Catalogue()
    catalogue.add(skill, folder / "locale")
    return catalogue


def outside_context(
    skill: str,
    *,
    catalogue: Catalogue,
    folder: Path,
    language: Language,
    now: datetime,
    zone: ZoneInfo,
    settings: Mapping[str, Any],
    operation: str = "",
) -> Context:
    """A context whose model, index, outbox, secrets, schedules and notify raise NotConfigured when they are used."""
    return Context(
        skill=skill,
        language=language,
        now=now,
        zone=zone,
        user=UserContext(zone=zone.key, locale=language),
        text=partial(catalogue.text, language),
        texts=lambda other: partial(catalogue.text, other),
        settings=settings,
        folder=folder,
        secrets=cast(Secrets, Absent("secrets")),
        accounts=cast(Accounts, Absent("accounts")),
        model=cast(LanguageModel, Absent("model")),
        index=cast(Index, Absent("index")),
        outbox=cast(Outbox, Absent("outbox")),
        schedules=cast(Schedules, Absent("schedules")),
        notify=_no_notice,
        operation=operation,
    )

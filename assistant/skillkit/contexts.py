"""Makes the `Context` of a tool call: the program's side of all that a skill may reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from assistant.locale import Catalogue
from assistant.models import Language, UserContext
from assistant.ports import Accounts, Clock, Index, LanguageModel, Outbox, Profile, Quiet, Schedules, Secrets
from assistant.skillkit.context import Context, Notify
from assistant.skillkit.fellows import Offers, Present

_PROFILE = "profile"
"""The one skill that is given all that is known of the user."""


@dataclass(frozen=True, kw_only=True)
class Contexts:
    """All adapters that contexts are made of."""

    clock: Clock
    catalogue: Catalogue
    user: Callable[[], UserContext]
    settings: Callable[[str], Mapping[str, Any]]
    folders: Path
    """Each skill has a folder of its own below it."""
    secrets: Secrets
    accounts: Accounts
    model: LanguageModel
    index: Callable[[str], Index]
    outbox: Outbox
    schedules: Schedules
    notify: Notify
    quiet: Quiet
    profile: Profile | None = None
    offers: Offers = lambda _: ()
    """What the bundled skills offer one another."""

    def of(self, skill: str, language: Language, *, operation: str = "") -> Context:
        """The context of one call of a tool of `skill`."""
        folder = self.folders / skill
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Context(
            skill=skill,
            language=language,
            now=self.clock.now(),
            zone=self.clock.zone,
            user=self.user(),
            text=partial(self.catalogue.text, language),
            texts=lambda other: partial(self.catalogue.text, other),
            settings=self.settings(skill),
            folder=folder,
            secrets=self.secrets,
            accounts=self.accounts,
            model=self.model,
            index=self.index(skill),
            outbox=self.outbox,
            schedules=self.schedules,
            notify=self.notify,
            quiet=self.quiet,
            fellows=Present(self.offers, lambda other: self.of(other, language)),
            profile=self.profile if skill == _PROFILE else None,
            operation=operation,
            again=lambda: self.of(skill, language, operation=operation),
        )

"""Who the user is and what is known of them: its parts put together, and what they do beside everything else."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from assistant.config import Config, ProfileSettings
from assistant.dav.replicas import ACCOUNTS
from assistant.engine.client import Engine
from assistant.engine.embeddings import Embeddings
from assistant.engine.models import ModelStore
from assistant.lifetime import keep_running
from assistant.memory.keeper import KeptProfile
from assistant.memory.nightly import keep_nightly
from assistant.memory.users import UserFile
from assistant.paths import Paths
from assistant.ports import Clock, Quiet, Users
from assistant.safety.deeds import AuditedDeeds
from assistant.skillkit.loader import Skills
from assistant.store import Database

SKILL_DATA = "skill-data"
_MODELS_IDLE_S = 60.0
"""After so long without a question the sentence models give their memory back; loading them takes a second."""


def users_of(paths: Paths, config: Config, skills: Skills) -> UserFile:
    """The user of the profile's file, with their contacts."""
    own = [account.address for account in config.accounts.values()]
    return UserFile(paths.profile_file, partial(_contacts_folders, skills, paths), own)


async def keep_profile(
    paths: Paths,
    wanted: ProfileSettings,
    models: ModelStore,
    engine: Engine | None,
    db: Database,
    clock: Clock,
    running: Quiet,
    users: Users,
    stack: AsyncExitStack,
) -> KeptProfile:
    """What is known of the user; until `stack` is closed it is read, indexed and tidied in the background."""
    embedder = Embeddings(paths, models, folders=[paths.data / "profile"], idle_s=_MODELS_IDLE_S)
    stack.push_async_callback(embedder.aclose)
    profile = KeptProfile(
        db,
        clock,
        paths.data / "profile",
        embedder,
        running,
        model=engine,
        learn=wanted.learn,
        never=wanted.never,
        people=lambda: users.current().contacts,
        deeds=AuditedDeeds(db),
        forgotten=engine.clear if engine else lambda: None,
    )
    await keep_running(stack, profile.run, "profile")
    await keep_running(stack, partial(keep_nightly, db, profile.nights), "nights")
    if profile.reader is not None:
        await keep_running(stack, profile.reader.run, "reader")
    return profile


def _contacts_folders(skills: Skills, paths: Paths) -> list[Path]:
    """Where the user's vCards are, those of their accounts too, so that the whole conversation knows who is there."""
    if "contacts" not in skills.loaded:
        return []
    own = paths.data / SKILL_DATA / "contacts"
    return [skills.settings("contacts").get("folder") or own, *sorted((own / ACCOUNTS).glob("[!.]*/"))]

"""What the endpoints work on; put together by `daemon.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.conversation.conversation import Conversation
from assistant.conversation.running import RunningTurns
from assistant.conversation.sessions import Sessions
from assistant.engine.client import Engine
from assistant.engine.models import ModelStore
from assistant.locale import Catalogue
from assistant.memory.keeper import KeptProfile
from assistant.models import Language
from assistant.notify.bus import EventBus
from assistant.ports import Clock, LanguageModel, Outbox
from assistant.safety.approvals import Approvals
from assistant.safety.audit import Audit
from assistant.skillkit.loader import Skills


@dataclass(frozen=True, kw_only=True)
class Services:
    """The daemon's parts that clients may reach."""

    clock: Clock
    catalogue: Catalogue
    language: Language
    conversation: Conversation
    running: RunningTurns
    sessions: Sessions
    approvals: Approvals
    outbox: Outbox
    audit: Audit
    skills: Skills
    own_skills: Path
    """The user's folder of skills."""
    model: LanguageModel
    engine: Engine | None
    """None where the model is scripted."""
    models: ModelStore
    bus: EventBus
    profile: KeptProfile
    health: Callable[[], dict[str, Any]]
    survey: Callable[[], list[dict[str, Any]]]
    """What the skills from elsewhere may do and did."""

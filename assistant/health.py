"""How the daemon is: its version, its model, what is loaded and what everybody is to be told."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import Any

from assistant import __version__
from assistant.engine.client import Engine
from assistant.events import Noticed
from assistant.locale import Catalogue
from assistant.memory.keeper import KeptProfile
from assistant.models import Language
from assistant.notify.bus import EventBus
from assistant.skillkit.loader import Skills


def health(
    started: float,
    skills: Skills,
    catalogue: Catalogue,
    language: Language,
    engine: Engine | None,
    bus: EventBus,
    profile: KeptProfile,
) -> dict[str, Any]:
    """What `/healthz` says."""
    return {
        "status": "ok",
        "version": __version__,
        "pid": os.getpid(),
        "uptime_s": round(time.monotonic() - started, 1),
        "model": engine.status() if engine else {"name": "scripted"},
        "learns": profile.hands.learns(""),
        "notices": [
            event.notice.model_dump(mode="json", include={"title", "body", "at"})
            for event in bus.kept
            if isinstance(event, Noticed)
        ],
        "night": asdict(profile.nights.last),
        "skills": {
            "loaded": sorted(skills.loaded),
            "problems": [
                {"name": problem.name, "problem": catalogue.explain(problem, language)[0]}
                for problem in skills.problems
            ],
        },
    }

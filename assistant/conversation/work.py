"""One turn's state while its calls run: what it may do, what was read so far, where its values may come from."""

from __future__ import annotations

from dataclasses import dataclass, field

from assistant.models import Language, Observation, Turn
from assistant.safety.mandate import Mandate
from assistant.safety.provenance import Evidence


@dataclass
class Work:
    """The calls of one turn, in flight."""

    turn: Turn
    language: Language
    evidence: Evidence
    mandate: Mandate
    waits: bool = False
    """Whether something waits for a yes: what reaches others after it is not done before it."""
    observations: list[Observation] = field(default_factory=list)

    def observed(self, observation: Observation) -> None:
        """A tool gave something back: later values may come from it."""
        self.observations.append(observation)
        self.evidence.read(observation)

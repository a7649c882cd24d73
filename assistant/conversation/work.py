"""One turn's state while its calls run: what it may do, what was read so far, where its values may come from."""

from __future__ import annotations

from dataclasses import dataclass, field

from assistant.models import Label, Language, Observation, Origin, Turn
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

    def skipped(self, tool: str) -> None:
        """A call gave nothing: refused, or it waits for a yes. Those after it keep their numbers."""
        self.observations.append(Observation(tool=tool, origin=Origin(label=Label.TOOL, source=tool)))

    @property
    def given(self) -> list[Observation]:
        """What the calls gave that were done."""
        return [one for one in self.observations if one.text or one.data is not None or one.receipt]

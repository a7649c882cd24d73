"""What a skill reached and what it was refused, counted and written to the audit: not a line for every connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from assistant.errors import AssistantError
from assistant.sandbox.proxy import Passed

logger = logging.getLogger(__name__)

KIND = "skill_network"
_AFTER_S = 5.0
_MOST_PLACES = 50
"""Places that one entry of the audit tells apart; a skill that tries more of them has the rest counted together."""
_OTHERS = "others"


@dataclass
class Tally:
    """One skill's."""

    skill: str
    record: Callable[..., None]
    _counts: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    """By place and reason of refusal: connections, bytes sent, bytes received."""
    _timer: asyncio.TimerHandle | None = None

    def add(self, passed: Passed) -> None:
        """Count one connection; it is written down within seconds."""
        key = (passed.place, passed.refused)
        if key not in self._counts and len(self._counts) >= _MOST_PLACES:
            key = (_OTHERS, passed.refused)
        counts = self._counts.setdefault(key, [0, 0, 0])
        for index, more in enumerate((1, passed.sent, passed.received)):
            counts[index] += more
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_AFTER_S, self.flush)

    def flush(self) -> None:
        """Write it down now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        counts, self._counts = self._counts, {}
        for (place, refused), (connections, sent, received) in counts.items():
            told = {"place": place, "connections": connections, "sent": sent, "received": received}
            try:
                self.record(KIND, skill=self.skill, refused=refused, **told)
            except AssistantError as error:
                logger.error("what the skill %s reached can't be written down: %s %s", self.skill, told, error)

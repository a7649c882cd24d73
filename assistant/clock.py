"""The time: the only module that may ask the system for it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import tzlocal


class SystemClock:
    """The machine's clock in the user's zone."""

    def __init__(self, zone: str = "") -> None:
        self._zone = ZoneInfo(zone) if zone else ZoneInfo(tzlocal.get_localzone_name() or "UTC")

    @property
    def zone(self) -> ZoneInfo:
        """The user's zone."""
        return self._zone

    def now(self) -> datetime:
        """Now, with the user's zone."""
        return datetime.now(self._zone)


class FrozenClock:
    """A clock that stands still, for dry runs with `--now` and for tests."""

    def __init__(self, at: datetime, zone: str = "") -> None:
        self._zone = ZoneInfo(zone) if zone else (at.tzinfo if isinstance(at.tzinfo, ZoneInfo) else ZoneInfo("UTC"))
        self.at = at.replace(tzinfo=self._zone) if at.tzinfo is None else at.astimezone(self._zone)

    @property
    def zone(self) -> ZoneInfo:
        """The zone given."""
        return self._zone

    def now(self) -> datetime:
        """The moment given."""
        return self.at

"""Wall-clock times in a zone that may change its clocks. Knows nothing of words."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo


def at(naive: datetime, zone: tzinfo | None) -> datetime:
    """The local time `naive` in `zone`.

    A time that the clocks skip moves forward by as much as they do (02:30 → 03:30 in spring); of two equal times in
    autumn it is the first.
    """
    local = naive.replace(tzinfo=zone, fold=0)
    if zone is None:
        return local
    return local.astimezone(UTC).astimezone(zone)


def combine(day: date, hour: int, minute: int, zone: tzinfo | None) -> datetime:
    """`hour` 24 and above runs into the next day."""
    return at(datetime.combine(day, time()) + timedelta(hours=hour, minutes=minute), zone)


def later(moment: datetime, seconds: int) -> datetime:
    """So many elapsed seconds later, whatever the clocks do meanwhile."""
    if moment.tzinfo is None:
        return moment + timedelta(seconds=seconds)
    return (moment.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(moment.tzinfo)

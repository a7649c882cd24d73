"""Who was paid before, how much in the last day, how many acts in the last hour: what makes a yes to money harder.

Reads the rows of acts that were approved; keeps nothing itself. A provider that knows of payments made without the
assistant (a bank's history) gives them as `payees`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from assistant.config import LimitSettings
from assistant.models import Action, Prepared
from assistant.ports import Clock
from assistant.safety.records import stamp
from assistant.store import Database
from assistant.values.exact import account, amount, exact

_RECIPIENTS = ("to", "recipient", "iban", "account_number")
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)


class Limits:
    """What of a money act wants more than a yes."""

    def __init__(
        self, db: Database, clock: Clock, settings: LimitSettings, known: Callable[[], Collection[str]] = frozenset
    ) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._known = known

    def payees(self) -> frozenset[str]:
        """Accounts and names that money went to before, with a yes."""
        paid = (recipient(action.args) for action in self._done("julianday(created_at) IS NOT NULL", ()))
        return frozenset(self._known()) | frozenset(filter(None, paid))

    def wanted(self, action: Action, payees: Collection[str]) -> str:
        """Why a yes is not enough for it, the end of a catalogue key: first_payee, over_act, over_day; else empty."""
        if action.effect != "money" or not (to := recipient(action.args)):
            return ""
        if to not in payees:
            return "first_payee"
        asked = amount(action.args.get("amount")) or Decimal(0)
        if asked > self._settings.money_per_act:
            return "over_act"
        since = stamp(self._clock.now() - _DAY)
        spent = sum(
            (amount(one.args.get("amount")) or Decimal(0) for one in self._done("created_at > ?", (since,))), Decimal(0)
        )
        return "over_day" if spent + asked > self._settings.money_per_day else ""

    def account_of(self, action: Action, prepared: Prepared) -> str:
        """The account whose end is to be typed: the call's, else the one that its preview shows, else the name."""
        to = recipient(action.args)
        if account(to):
            return to
        shown = exact("\n".join([*(one.value for one in prepared.fields), prepared.body])).accounts
        return next(iter(sorted(shown)), to)

    def busy(self) -> bool:
        """Whether so much left in the last hour that something may be running wild."""
        since = stamp(self._clock.now() - _HOUR)
        row = self._db.conn.execute(
            "SELECT count(*) FROM approvals WHERE state IN ('approved', 'used') AND effect IN ('outward', 'money')"
            " AND created_at > ?",
            (since,),
        ).fetchone()
        return bool(row[0] >= self._settings.acts_per_hour)

    def _done(self, where: str, data: tuple[str, ...]) -> Iterator[Action]:
        rows = self._db.conn.execute(
            f"SELECT action FROM approvals WHERE effect = 'money' AND state = 'used' AND {where}", data
        )
        return (Action.model_validate_json(row["action"]) for row in rows)


def recipient(args: Mapping[str, Any]) -> str:
    """Whom a money act pays: the account's number without spaces, else the name as it is; empty if it names nobody."""
    given = next((str(args[name]) for name in _RECIPIENTS if args.get(name)), "")
    return account(given) or given.strip()

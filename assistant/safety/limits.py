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
        known = (account(one) or one.strip() for one in self._known())
        paid = (recipient(action.args) for action in self._acts("state = 'used'", ()))
        return frozenset(known) | frozenset(filter(None, paid))

    def wanted(self, action: Action, payees: Collection[str]) -> str:
        """Why a yes is not enough for it, the end of a catalogue key: first_payee, over_act, over_day; else empty."""
        if action.effect != "money" or not (to := recipient(action.args)):
            return ""
        if to not in payees:
            return "first_payee"
        asked = amount(action.args.get("amount")) or Decimal(0)
        if asked > self._settings.money_per_act:
            return "over_act"
        now = self._clock.now()
        open_or_done = "created_at > ? AND (state = 'used' OR (state IN ('pending', 'approved') AND expires_at > ?))"
        acts = self._acts(open_or_done, (stamp(now - _DAY), stamp(now)))
        spent = sum((amount(one.args.get("amount")) or Decimal(0) for one in acts), Decimal(0))
        return "over_day" if spent + asked > self._settings.money_per_day else ""

    def account_of(self, action: Action, prepared: Prepared) -> str:
        """The account whose end is to be typed: the call's, else the one that its preview shows, else the name."""
        to = recipient(action.args)
        if account(to):
            return to
        named = [one.value for one in prepared.fields if one.name in _RECIPIENTS]
        for texts in (named, [*(one.value for one in prepared.fields), prepared.body]):
            if shown := exact("\n".join(texts)).accounts:
                return min(shown)
        return to

    def busy(self) -> bool:
        """Whether so much left in the last hour that something may be running wild."""
        since = stamp(self._clock.now() - _HOUR)
        row = self._db.conn.execute(
            "SELECT count(*) FROM approvals WHERE state IN ('approved', 'used') AND effect IN ('outward', 'money')"
            " AND created_at > ?",
            (since,),
        ).fetchone()
        return bool(row[0] >= self._settings.acts_per_hour)

    def _acts(self, where: str, data: tuple[str, ...]) -> Iterator[Action]:
        """Money acts that were not called off in the outbox."""
        rows = self._db.conn.execute(
            f"SELECT action FROM approvals WHERE effect = 'money' AND {where} AND NOT EXISTS (SELECT 1 FROM operations"
            " WHERE operations.approval = approvals.id AND operations.state IN ('CANCELLED', 'FAILED'))",
            data,
        )
        return (Action.model_validate_json(row["action"]) for row in rows)


def recipient(args: Mapping[str, Any]) -> str:
    """Whom a money act pays: the account's number without spaces, else the name as it is; empty if it names nobody."""
    given = next((str(args[name]) for name in _RECIPIENTS if args.get(name)), "")
    return account(given) or given.strip()

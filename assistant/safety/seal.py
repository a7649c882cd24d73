"""The audit's end, kept among the secrets: who can only write files can't roll database and head back unseen."""

from __future__ import annotations

import asyncio
import logging
import re

from assistant.errors import AssistantError
from assistant.failpoint import failpoint
from assistant.ports import Secrets
from assistant.safety.audit import Audit, End

_log = logging.getLogger(__name__)
NAME = "audit-seal"
_DAY_S = 86_400.0
_SEAL = re.compile(r"(\d{1,20}) ([0-9a-f]{64})")


async def read(secrets: Secrets) -> End | None:
    """The end that was sealed last; None where nothing was. Raises what the secrets raise."""
    found = _SEAL.fullmatch(await secrets.get(NAME) or "")
    return (int(found[1]), found[2]) if found else None


async def renew(secrets: Secrets, audit: Audit) -> None:
    """Seal the chain's end as it is now. A chain that is shorter than its seal or head is left sealed as it was."""
    end = audit.end()
    if end is None or end == audit.sealed or audit.lost():
        return
    await secrets.put(NAME, f"{end[0]} {end[1]}")
    failpoint("audit.sealed")
    audit.sealed = end


async def keep_renewing(secrets: Secrets, audit: Audit, every_s: float = _DAY_S) -> None:
    """Seal now and daily, until cancelled. A keyring that is locked is tried again the next day."""
    while True:
        try:
            await renew(secrets, audit)
        except AssistantError as error:
            _log.warning("the audit could not be sealed: %s", error)
        await asyncio.sleep(every_s)

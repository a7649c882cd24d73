"""Secrets that this process has held, and words without them: for logs, the audit and what is said of an error.

Knows no store. What was concealed once stays so until the process ends.
"""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote

_SHORTEST = 6
"""A shorter secret would take ordinary words with it."""
_MASK = "•••"

# What looks like a credential, whoever it belongs to.
_LIKELY = re.compile(
    r"(?P<kept>\bBearer\s+|\b(?:hearth_|ghp_|sk-|xox[bp]-))[A-Za-z0-9._~+/=-]{8,}"
    r"|(?P<named>\b(?:password|passwd|passphrase|secret|token|api[_-]?key|authorization)[\"']?\s*[=:]\s*[\"']?(?:(?:Bearer|Basic)\s+)?)"
    r"(?!None\b|null\b)[^\s\"',;)}\]]{4,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.IGNORECASE | re.DOTALL,
)

_known: set[str] = set()
_pattern: re.Pattern[str] | None = None


def conceal(secret: str) -> None:
    """Keep `secret`, in every spelling that logs and protocols give it, out of what `redact` lets through."""
    global _pattern
    spellings = {one for one in _spellings(secret) if len(one) >= _SHORTEST} - _known
    if spellings:
        _known.update(spellings)
        _pattern = re.compile("|".join(map(re.escape, sorted(_known, key=len, reverse=True))))


def redact(text: str) -> str:
    """`text` without the secrets that are known, and without what looks like one."""
    if _pattern is not None:
        text = _pattern.sub(_MASK, text)
    return _LIKELY.sub(lambda found: f"{found['kept'] or found['named'] or ''}{_MASK}", text)


def without_known(text: str) -> str:
    """`text` without the secrets that are known: for people's own words, which may well speak of a password."""
    return _pattern.sub(_MASK, text) if _pattern is not None else text


def _spellings(secret: str) -> set[str]:
    raw = secret.encode()
    # Inside a longer text the same bytes have three base64 forms; the characters at both ends depend on neighbours.
    encoded = {base64.b64encode(bytes(shift) + raw).decode()[(0, 2, 3)[shift] :].rstrip("=")[:-1] for shift in range(3)}
    return {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret, safe=""), raw.hex()} | encoded

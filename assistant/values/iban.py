"""International bank account numbers (ISO 13616). Knows no bank: whether the account exists is not seen here."""

from __future__ import annotations

import re

_FORM = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)


def parse_iban(text: str) -> str | None:
    """The number without spaces, in capitals; None where its form or its check digits (ISO 7064, mod 97) are wrong."""
    number = re.sub(r"[\s\-.]", "", text).upper()
    if not _FORM.fullmatch(number):
        return None
    digits = "".join(str(int(one, 36)) for one in number[4:] + number[:4])
    return number if int(digits) % 97 == 1 else None


def format_iban(number: str) -> str:
    """In groups of four, as it is printed: `DE89 3704 0044 0532 0130 00`."""
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))

"""What a mail's writer wrote, apart from what they quoted. Line rules only: linear time on any input."""

from __future__ import annotations

import re
from typing import NamedTuple


class Split(NamedTuple):
    """A body in two."""

    fresh: str
    quoted: str


# "On … wrote:" in the languages mailers speak; the line may have been wrapped.
_WROTE = re.compile(
    r"^\s*(?:(?:On|Am|Le|El|Il|Op|Em|Den|Dnia)\b[^\n]{4,300}?\b"
    r"(?:wrote|schrieb|a écrit|escribió|ha scritto|schreef|escreveu|skrev|napisał\(a\))\b[^\n]{0,120}:"
    r"|(?:在|于)?[^\n]{2,300}?(?:写道|寫道|写到|书写)\s*[:：]"
    r"|[^\n]{4,200}(?:のメール|さんは書きました)\s*[:：])\s*$",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(
    r"^\s*(?:[-_=*]{2,}\s*(?:Original Message|Forwarded message|Ursprüngliche Nachricht|Weitergeleitete Nachricht"
    r"|Message d'origine|Mensaje original|原始邮件|原邮件|转发邮件信息|转发的邮件|原始郵件|轉寄郵件"
    r"|元のメッセージ)\s*[-_=*]{0,}"
    r"|Begin forwarded message:|下面是转发邮件[:：]?)\s*$",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"^\s*\**(From|Sent|To|Cc|Subject|Date|Von|Gesendet|An|Betreff|Datum|De|Envoyé|À|Objet"
    r"|发件人|发送时间|收件人|抄送|主题|日期|时间|發件人|寄件者|寄件日期|收件者|副本|主旨|差出人|宛先|件名|送信日時)\**\s*[:：]",
    re.IGNORECASE,
)
_SENDER_FIELDS = {"from", "von", "de", "发件人", "發件人", "寄件者", "差出人"}
_RULE = re.compile(r"^\s*[-_]{10,}\s*$")


def split(text: str) -> Split:
    """Split a body. A forward with nothing above it counts as fresh: it is all there is to read."""
    lines = text.split("\n")
    start, below_is_quoted = _start(lines)
    fresh = lines[:start]
    quoted = lines[start:]
    if not below_is_quoted:
        fresh, quoted = _by_marks(lines, start)
    if not any(line.strip() for line in fresh):
        return Split(text.strip(), "")
    return Split("\n".join(fresh).strip(), "\n".join(quoted).strip())


def without_signature(text: str) -> str:
    """The text above the signature's mark (`-- `, RFC 3676 §4.3)."""
    return re.split(r"^-- ?$", text, maxsplit=1, flags=re.MULTILINE)[0].strip() or text.strip()


def _start(lines: list[str]) -> tuple[int, bool]:
    """The first line of the quotation, and whether all below belongs to it."""
    for number, line in enumerate(lines):
        if _SEPARATOR.match(line):
            return number, True
        if _is_header_block(lines, number):
            return (number - 1 if number and _RULE.match(lines[number - 1]) else number), True
        if _is_attribution(lines, number):
            return number, not any(later.lstrip().startswith(">") for later in lines[number : number + 6])
    first = next((number for number, line in enumerate(lines) if line.startswith(">")), len(lines))
    return first, False


def _is_attribution(lines: list[str], number: int) -> bool:
    if not lines[number].strip() or lines[number].lstrip().startswith(">"):
        return False
    joined = lines[number][:400]
    for extra in range(3):
        if _WROTE.match(joined):
            return True
        following = number + extra + 1
        if following >= len(lines) or not lines[following].strip():
            return False
        joined = f"{joined} {lines[following].strip()[:200]}"
    return False


def _is_header_block(lines: list[str], number: int) -> bool:
    """A sender's field with at least two further fields right below it (Outlook, QQ, 163)."""
    found = _FIELD.match(lines[number])
    if found is None or found[1].lower() not in _SENDER_FIELDS:
        return False
    near = [line for line in lines[number + 1 : number + 8] if line.strip()][:4]
    return sum(1 for line in near if _FIELD.match(line)) >= 2


def _by_marks(lines: list[str], start: int) -> tuple[list[str], list[str]]:
    """Below an attribution whose quotation is marked with `>`, lines without the mark are the writer's own."""
    fresh, quoted = list(lines[:start]), []
    marked = False
    for line in lines[start:]:
        if line.lstrip().startswith(">"):
            marked = True
            quoted.append(line)
        elif marked:
            fresh.append(line)
        else:
            quoted.append(line)
    return fresh, quoted

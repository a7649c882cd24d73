"""Words that claim or promise a deed ("I've sent it", "I'll remind you"): only with a receipt (DESIGN, law 5)."""

from __future__ import annotations

import re

_DEEDS = (
    "sent|added|scheduled|booked|paid|deleted|archived|created|transferred|forwarded|replied|saved|cancelled|canceled"
    "|set (?:up )?(?:a|the|your) (?:reminder|timer|alarm)"
)
_PROMISES = (
    "remind|send|forward|reply|add|book|schedule|note|remember|save|delete|pay|transfer|let (?:him|her|them) know"
)
_CLAIM = re.compile(
    r"(?<!shall )(?<!should )(?<!can )(?<!could )(?<!may )(?<!did )(?<!if )"
    rf"\bI(?:['’]ve| have| just|['’]ll have)?(?: just| already| now| successfully)* (?:{_DEEDS})\b"
    r"|\b(?:reminder|timer|email|mail|message|transfer|event|booking) (?:has been|was|is now) (?:sent|set|added|created"
    r"|scheduled|made|booked)\b"
    rf"|\bI(?:['’]ll| will| am going to) (?:{_PROMISES})\b|^(?:noted|recorded|done|saved|added)\b"
    r"|(?:记下了?|已记录|记录好了|我会(?:在.{0,12})?(?:提醒|发送|转发|记下|记住|安排|预订))"
    r"|(?:已经?|已为您|已帮您|已给您|我(?:为您|帮您|给您|帮你|给你))(?:经|为您|帮您|给您|帮你|给你)?(?:成功)?"
    r"(?:发送|发出|添加|预订|支付|删除|归档|创建|转账|转发|回复|保存|取消|设置|设好)",
    re.IGNORECASE,
)


def claims_a_deed(text: str) -> bool:
    """Whether `text` says that something was or will be done for the user."""
    return bool(_CLAIM.search(text))

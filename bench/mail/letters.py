"""Mails like those in a mailbox, made up: the same for the same number, so that a run can be repeated.

English and Chinese, plain and HTML, threads, newsletters, attachments, charsets as mailers declare them. Built from
bytes by hand: fifty thousand take seconds.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

OWN = "Mei Lin"
_PEOPLE = (
    ("Anna Schmidt", "anna.schmidt"), ("Bob Miller", "bob.miller"), ("王小明", "wang.xiaoming"), ("李娜", "li.na"),
    ("Zoë Dupont", "zoe.dupont"), ("José García", "jose.garcia"), ("陈伟", "chen.wei"), ("Priya Nair", "priya.nair"),
    ("Tom O'Brien", "tom.obrien"), ("张丽华", "zhang.lihua"), ("Kaffee & Co", "news"), ("Stadtwerke", "service"),
)  # fmt: skip
_ENGLISH = (
    "budget contract meeting invoice garden train ticket school report draft signature delivery kitchen window repair "
    "holiday insurance review deadline payment quarter customer project release server backup concert rehearsal dinner "
    "birthday doctor appointment parcel flight hotel booking lease heating landlord neighbour bicycle key parking"
).split()
_CHINESE = (
    "预算 合同 会议 发票 花园 火车票 学校 报告 草稿 签字 快递 厨房 维修 假期 保险 评审 截止日期 付款 季度 客户 项目 "
    "服务器 备份 音乐会 排练 晚饭 生日 医生 预约 包裹 航班 酒店 租约 暖气 房东 邻居 自行车 钥匙"
).split()
_LINKS = ("I think", "please check", "as agreed", "by Friday", "we still need", "could you send", "thanks for", "about")
_HTML = """<html><head><style>p {{ margin: 0 }} .x {{ color: #444 }}</style></head><body><table><tr><td>
<h2>{title}</h2>{paragraphs}<p><a href="https://news.example.org/u/{number}">Unsubscribe</a></p></td></tr></table>
</body></html>"""
FIRST = datetime(2024, 1, 1, 8, tzinfo=UTC)
RARE = 100
"""Every so many mails one carries a word that no other has: `rare<number>`."""


@dataclass(frozen=True)
class Letter:
    """A mail and what may be looked for in it."""

    number: int
    raw: bytes
    message_id: str
    subject: str


def letters(count: int, to: str, *, seed: int = 1, first: int = 0) -> Iterator[Letter]:
    """So many mails, oldest first."""
    for number in range(first, first + count):
        yield letter(number, to, seed=seed)


def letter(number: int, to: str, *, seed: int = 1) -> Letter:
    """The mail of this number."""
    dice = random.Random(seed * 1_000_003 + number)
    chinese = dice.random() < 0.4
    kind = dice.choices(("plain", "html", "newsletter", "file"), (60, 20, 14, 6))[0]
    thread, place = divmod(number, 5)
    words = _CHINESE if chinese else _ENGLISH
    topic = random.Random(seed * 7 + thread)
    about = "".join(topic.sample(words, 2)) if chinese else " ".join(topic.sample(words, 3))
    subject = ("回复：" if chinese else "Re: ") * bool(place) + f"{about} {thread}"
    name, local = _PEOPLE[-2 if kind == "newsletter" else dice.randrange(len(_PEOPLE) - 2)]
    message_id = f"<m{number}.{seed}@there.example>"
    lines = [
        f"From: {_word(name)} <{local}@there.example>",
        f"To: {OWN} <{to}>",
        f"Subject: {_word(subject)}",
        f"Date: {format_datetime(FIRST + timedelta(minutes=9 * number))}",
        f"Message-ID: {message_id}",
        "MIME-Version: 1.0",
    ]
    if place:
        parents = [f"<m{one}.{seed}@there.example>" for one in range(number - place, number)]
        lines += [f"In-Reply-To: {parents[-1]}", "References: " + "\r\n ".join(parents)]
    if kind == "newsletter":
        lines += ["List-Id: <news.there.example>", "List-Unsubscribe: <https://news.example.org/u>"]
    text = _text(dice, words, chinese=chinese)
    if number % RARE == 0:
        text += f"\n\nrare{number}\n"
    charset = dice.choice(("utf-8", "utf-8", "gb18030" if chinese else "iso-8859-1"))
    body = _body(kind, text, charset, number, dice)
    return Letter(number, "\r\n".join(lines).encode() + b"\r\n" + body, message_id, subject)


def _text(dice: random.Random, words: list[str], *, chinese: bool) -> str:
    paragraphs = []
    for _ in range(dice.choice((1, 2, 3, 5, 9))):
        if chinese:
            said = ["，".join(dice.choices(words, k=4)) + "。" for _ in range(dice.randint(1, 6))]
            paragraphs.append("".join(said))
        else:
            said = [f"{dice.choice(_LINKS)} the {' and the '.join(dice.choices(words, k=3))}." for _ in range(4)]
            paragraphs.append(" ".join(said))
    return "\n\n".join(paragraphs) + "\n"


def _body(kind: str, text: str, charset: str, number: int, dice: random.Random) -> bytes:
    plain = _part("text/plain", text, charset)
    if kind == "plain":
        return plain
    paragraphs = "".join(f'<p class="x">{line}</p>\n' for line in text.splitlines() if line)
    if kind in ("html", "newsletter"):
        page = _HTML.format(title=number, paragraphs=paragraphs * (4 if kind == "newsletter" else 1), number=number)
        return _multipart("alternative", number, plain, _part("text/html", page, charset))
    data = base64.encodebytes(dice.randbytes(dice.randint(2_000, 60_000))).replace(b"\n", b"\r\n")
    head = f'Content-Type: application/pdf; name="scan{number}.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
    shown = f'Content-Disposition: attachment; filename="scan{number}.pdf"\r\n\r\n'
    return _multipart("mixed", number, plain, (head + shown).encode() + data)


def _part(kind: str, text: str, charset: str) -> bytes:
    head = f"Content-Type: {kind}; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    data = base64.encodebytes(text.replace("\n", "\r\n").encode(charset)).replace(b"\n", b"\r\n")
    return head.encode() + data


def _multipart(kind: str, number: int, *parts: bytes) -> bytes:
    edge = f"=_{number}_edge"
    head = f'Content-Type: multipart/{kind}; boundary="{edge}"\r\n\r\n'.encode()
    return head + b"".join(f"--{edge}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{edge}--\r\n".encode()


def _word(text: str) -> str:
    """An encoded word where it is needed (RFC 2047); short enough to be one."""
    if text.isascii():
        return text
    return f"=?utf-8?B?{base64.b64encode(text.encode()).decode()}?="

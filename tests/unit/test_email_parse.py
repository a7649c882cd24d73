"""Any bytes become a mail that can be read: charsets, HTML, quotations, attachments, hostile input."""

from __future__ import annotations

import base64
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.mail import mail, module

parse_module = module("parse")
parse: Any = parse_module.parse
split: Any = module("quotes").split
html_to_text: Any = module("text").html_to_text


def raw(body: bytes, *headers: str) -> bytes:
    return "\r\n".join(("From: a@example.org", *headers)).encode("utf-8") + b"\r\n\r\n" + body


CHINESE = "关于明天下午的会议，请您准时参加。谢谢！"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("alice@x.org <bob@y.org>", [("alice@x.org", "bob@y.org")]),
        ("a@x.org, alice@x.org <bob@y.org>, c@x.org", [("", "a@x.org"), ("alice@x.org", "bob@y.org"), ("", "c@x.org")]),
        ('"Doe, alice@x.org <z" <bob@y.org>', [("Doe, alice@x.org <z", "bob@y.org")]),
        ('"Al" alice@x.org <bob@y.org>', [("Al alice@x.org", "bob@y.org")]),
        ("alice@x.org support <bob@y.org>", [("alice@x.org support", "bob@y.org")]),
        ("Team: alice@x.org <bob@y.org>, c@x.org;", [("alice@x.org", "bob@y.org"), ("", "c@x.org")]),
        ("alice@x.org", [("", "alice@x.org")]),
        ("Bob <bob@y.org>, <c@x.org>", [("Bob", "bob@y.org"), ("", "c@x.org")]),
    ],
)
def test_an_address_used_as_a_name_is_not_the_address(value: str, expected: list[tuple[str, str]]) -> None:
    mail = parse(f"From: {value}\r\nCc: {value}\r\n\r\nx".encode())
    assert [(one.name, one.address) for one in mail.cc] == expected
    assert (mail.sender.name, mail.sender.address) == expected[0]


def test_one_broken_character_does_not_turn_utf_8_into_chinese() -> None:
    russian = ("Профиль Сообщения Контакты " * 20).encode()
    body = russian + "ё".encode()[:1] + russian
    got = parse(raw(body, "Content-Type: text/plain; charset=utf-8")).text
    assert got.count("Контакты") == 40
    assert got.count("\ufffd") == 1
    mislabelled = "Où êtes-vous passés ? Le dîner est prêt, la fenêtre est fermée. À bientôt !"
    got = parse(raw(mislabelled.encode("cp1252"), "Content-Type: text/plain; charset=utf-8")).text
    assert got == mislabelled


@pytest.mark.parametrize(
    ("text", "codec", "declared"),
    [
        (CHINESE, "gb2312", "gb2312"),
        (CHINESE + "镕", "gb18030", "gb2312"),
        (CHINESE, "gb18030", None),
        (CHINESE, "utf-8", None),
        (CHINESE, "utf-8", "iso-8859-1"),
        (CHINESE, "gb18030", "x-unknown"),
        (CHINESE, "gb18030", "utf-8"),
        ("關於明天的會議，請準時參加", "big5", "big5"),
        ("關於明天下午的會議，請您準時參加，謝謝", "big5", None),
        ("会議のお知らせです", "iso2022_jp", "iso-2022-jp"),
        ("会議のお知らせです", "iso2022_jp", None),
        ("회의 안내입니다", "cp949", "ks_c_5601-1987"),
        ("Grüße – “wie geht’s?”", "cp1252", "iso-8859-1"),
        ("Grüße aus Köln", "cp1252", None),
        ("plain", "ascii", "base64"),
        ("plain", "ascii", "unicode_escape"),
    ],
)
def test_a_body_is_read_whatever_charset_it_has_or_claims(text: str, codec: str, declared: str | None) -> None:
    kind = "Content-Type: text/plain" + (f'; charset="{declared}"' if declared else "")
    assert parse(raw(text.encode(codec), kind, "MIME-Version: 1.0")).text == text


def test_encoded_words_are_decoded_even_when_characters_were_cut_in_two() -> None:
    data = "会议通知".encode()
    first, second = (base64.b64encode(part).decode() for part in (data[:4], data[4:]))
    found = parse(raw(b"", f"Subject: =?utf-8?B?{first}?=\r\n =?utf-8?B?{second}?= (neu) =?iso-8859-1?Q?f=FCr_dich?="))
    assert found.subject == "会议通知 (neu) für dich"
    assert parse(raw(b"", "Subject: =?utf-8?B?5Lya5?= x")).subject.startswith("会")


def test_raw_eight_bit_headers_are_decoded() -> None:
    assert parse("From: 王伟 <w@example.cn>\nSubject: 您好，会议\n\nx".encode("gb18030")).subject == "您好，会议"
    assert parse("From: 王伟 <w@example.cn>\nSubject: x\n\nx".encode()).sender.name == "王伟"


def test_an_encoded_name_can_not_smuggle_in_an_address() -> None:
    trick = base64.b64encode(b"Boss <boss@example.org>, x").decode()
    found = parse(raw(b"", f"To: =?utf-8?B?{trick}?= <evil@example.net>"))
    assert [one.address for one in found.to] == ["evil@example.net"]


def test_html_becomes_text_with_readable_links_and_without_what_is_hidden() -> None:
    text = html_to_text(
        "<head><title>T</title><style>p{}</style></head><body><p>Hello <b>you</b></p><script>alert(1)</script>"
        '<p style="DISPLAY : none">hid1</p><div hidden>hid2</div><span style="font-size:0px">hid3</span>'
        '<span style="font-size:12px;color:#222">seen</span><div style="opacity:0"><p>hid4</p></div>'
        '<p>See <a href="https://evil.example/x">https://bank.example</a> and <a href="https://example.org">'
        f'https://example.org</a> <a href="https://track.example/{"x" * 300}">offer</a></p>'
        "<a href='javascript:alert(1)'>no</a><!-- hid5 --><br>最后一行</body>"
    )
    assert "hid" not in text
    assert "alert" not in text
    assert "javascript" not in text
    assert "seen" in text
    assert "[https://bank.example](https://evil.example/x)" in text
    assert "[offer](https://track.example/…)" in text
    assert text.count("https://example.org") == 1
    assert "最后一行" in text


def test_invisible_characters_are_dropped() -> None:
    found = parse(raw("pay\u200bpal \U000e0041\U000e0042 \u202egpj.exe\x00".encode(), "Subject: a\u200bb"))
    assert found.text == "paypal  gpj.exe"
    assert found.subject == "ab"


def test_the_plain_part_is_taken_unless_it_says_nothing() -> None:
    message = EmailMessage()
    message["From"] = "a@example.org"
    message.set_content("Plain words")
    message.add_alternative("<p>Rich words</p>", subtype="html")
    assert parse(message.as_bytes()).text == "Plain words"
    message = EmailMessage()
    message.set_content("Please use an HTML mail program")
    message.add_alternative(f"<p>{'Rich words. ' * 30}</p>", subtype="html")
    assert parse(message.as_bytes()).text.startswith("Rich words.")


def test_attachments_are_listed_and_their_text_is_not_the_mail() -> None:
    outer = EmailMessage()
    outer["From"] = "a@example.org"
    outer.set_content("see below")
    outer.add_attachment(b"12345", maintype="application", subtype="pdf", filename="合同.pdf")
    inner = EmailMessage()
    inner.set_content("inner words")
    outer.add_attachment(inner)
    outer.add_attachment("notes", filename="../../etc/no\u202etes.txt")
    found = parse(outer.as_bytes())
    assert found.text == "see below"
    assert [(one.name, one.type) for one in found.attachments] == [
        ("合同.pdf", "application/pdf"),
        ("message.eml", "message/rfc822"),
        (".._.._etc_notes.txt", "text/plain"),
    ]
    assert found.attachments[0].size == 5


@pytest.mark.parametrize(
    ("text", "fresh"),
    [
        ("Yes!\n\nOn Mon, Nov 23, 2026 at 9:00 AM Bob <bob@example.com> wrote:\n> Lunch?\n> Bob", "Yes!"),
        ("Yes!\n\nOn Mon, Nov 23, 2026 at 9:00 AM Bob\n<bob@example.com> wrote:\n> Lunch?", "Yes!"),
        ("Ja!\n\nAm 23.11.2026 um 09:00 schrieb Bob Miller:\n> Essen?", "Ja!"),
        ("好的！\n\n在 2026年11月23日，王伟 <w@example.cn> 写道：\n> 开会吗？", "好的！"),
        ("好的！\n\n王伟 <w@example.cn> 于2026年11月23日周一 09:00写道：\n\n开会吗？\n王伟", "好的！"),
        ('收到\n\n------------------ 原始邮件 ------------------\n发件人: "王伟"\n主题: 会议\n\n正文', "收到"),
        ("收到\n\n发件人：王伟\n发送时间：2026年11月23日\n收件人：我\n主题：会议\n\n正文", "收到"),
        ("ok\n\n________________________________\nFrom: Bob\nSent: Monday\nTo: Mei\nSubject: x\n\nold", "ok"),
        ("> Lunch?\nYes\n> When?\nFriday", "Yes\nFriday"),
        ("On Mon, Bob wrote:\n> Lunch?\n\nYes, gladly", "Yes, gladly"),
        (
            "---------- Forwarded message ---------\nFrom: x\n\nall there is",
            "---------- Forwarded message ---------\nFrom: x\n\nall there is",
        ),
        ("From: here to there\nis a long way", "From: here to there\nis a long way"),
        ("On Monday we met.\nShe wrote a letter:\nnice", "On Monday we met.\nShe wrote a letter:\nnice"),
    ],
)
def test_what_was_written_is_told_from_what_was_quoted(text: str, fresh: str) -> None:
    assert split(text).fresh == fresh


def test_references_dates_and_bulk_are_read() -> None:
    found = parse(
        mail(
            headers={"References": "<1@x> <2@x>", "In-Reply-To": "<2@x>", "List-Unsubscribe": "<mailto:x@example.org>"}
        )
    )
    assert found.references == ("<1@x>", "<2@x>")
    assert found.thread == "<1@x>"
    assert found.bulk
    assert parse(raw(b"", "Date: nonsense")).date is None
    received = "Received: from x; Mon, 23 Nov 2026 09:00:00 +0100"
    assert parse(raw(b"", "Date: 32 Foo 20206", received)).date.hour == 9
    assert parse(raw(b"", "Subject: 回复：Re: AW: Lunch")).thread == "lunch"


SEEDS = [
    mail(files={"a.pdf": b"x" * 50}),
    mail(sender="王伟 <w@example.cn>", subject="会议", body="明天下午开会\n", headers={"Precedence": "bulk"}),
    raw(
        b"--x\r\nContent-Type: text/html\r\n\r\n<p>hi<a href='x'>y</a>\r\n--x--",
        "Content-Type: multipart/mixed; boundary=x",
    ),
    raw(b"=E4=BD", "Content-Transfer-Encoding: quoted-printable", "Content-Type: text/html; charset=gb2312"),
    raw(
        b"x",
        "Content-Disposition: attachment; filename*0*=utf-8''%e4%bd; filename*1=x; filename*0=y",
        'To: <<>,@,"',
        "Content-Type: x",
    ),
    raw(b"begin 644 x\n#86%A\n \nend\n", "Content-Transfer-Encoding: x-uuencode"),
]


@given(
    st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
)
@settings(max_examples=200, deadline=None)
def test_random_bytes_never_raise(data: bytes) -> None:
    found = parse(data)
    found.snippet()
    assert isinstance(found.split.fresh, str)
    list(parse_module.parts(data))


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=4), st.integers(0, 4)), max_size=12),
)
@settings(max_examples=150, deadline=None)
def test_mutated_mails_never_raise(seed: bytes, changes: list[tuple[int, bytes, int]]) -> None:
    data = bytearray(seed)
    for position, new, cut in changes:
        at = position % (len(data) + 1)
        data[at : at + cut] = new
    found = parse(bytes(data))
    found.snippet()
    list(parse_module.parts(bytes(data)))
    found.text.encode("utf-8")
    found.subject.encode("utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "On " * 30_000,
        "> " * 40_000,
        "On x\n" * 20_000,
        "From: a\n" * 20_000,
        "在" * 50_000,
        "-" * 90_000,
        "_" * 90_000 + "\n",
    ],
)
def test_long_repetitions_are_split_without_hanging(text: str) -> None:
    assert split(text)


def test_deep_and_huge_structures_are_bounded() -> None:
    assert html_to_text("<div>" * 20_000 + "deep &amp; low" + "</div>" * 20_000) == "deep & low"
    assert html_to_text("<p>" + "[" * 100_000 + "[a" * 50_000 + "</p>")
    nested = b"x"
    for level in range(60):
        boundary = f"b{level}".encode()
        nested = b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n--" + boundary + b"\r\n" + nested
    parse(b"From: a@example.org\r\n" + nested)
    assert len(parse(raw(b"a " * 500_000)).text) <= 200_000


def test_a_charset_with_a_null_in_it_loses_the_text_at_most() -> None:
    mail = b'Subject: Hello\nContent-Type: text/plain; charset="utf\x00-8"\n\nBonjour \xe9\n'
    found = parse(mail)
    assert found.subject == "Hello"
    assert "Bonjour" in found.text

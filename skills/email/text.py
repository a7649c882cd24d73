"""Bytes and HTML to plain text: charsets, hidden parts, links. Knows no mail and raises nothing.

The libraries are imported where they are used: a start of the program that reads no mail need not wait for them.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from html import unescape
from urllib.parse import urlsplit

HTML_LIMIT = 400_000
TEXT_LIMIT = 200_000
_LINK_LIMIT = 90

# What mailers declare and what they mean: the superset that decodes both (WHATWG Encoding Standard, "labels").
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "hz": "hz",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-9": "cp1254",
    "iso2022_jp": "iso2022_jp_ext",
}
_LABELS = {
    "ks_c_5601-1987": "cp949",
    "x-gbk": "gb18030",
    "gb18030-2000": "gb18030",
    "x-sjis": "cp932",
    "x-euc-jp": "euc_jp",
}
_GUESSES = ["gb18030", "big5", "cp932", "euc_jp", "cp949", "cp1252", "cp1250", "koi8_r", "cp1251", "cp1253"]
_COMMON_HANZI = re.compile(rb"(?:[\x00-\x7f]|[\xa1-\xa3\xb0-\xd7][\xa1-\xfe])+")  # GB 2312 level 1 and its punctuation

# Zero-width and directional controls (hidden text, spoofed names) and Unicode tags (text only a model would see).
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|mso-hide\s*:\s*all|opacity\s*:\s*0*\.?0+\s*(?:;|!|$)"
    r"|font-size\s*:\s*(?:0*\.?0+|0*1)(?:px|pt|em|rem|%)?\s*(?:;|!|$)|color\s*:\s*transparent"
    r"|max-height\s*:\s*0(?:px)?\s*(?:;|!|$)|text-indent\s*:\s*-\d{3,}|(?:left|top)\s*:\s*-\d{4,}",
    re.IGNORECASE,
)
_HIDDEN_ATTRIBUTE = re.compile(r'(<[a-z0-9]+(?: [a-z-]+="[^"]*")*?) hidden="[^"]*"')
_MORE_TAGS = {"body", "font", "section", "article", "header", "footer", "main", "figure", "title"}
_DROPPED = {"script", "style", "title", "head", "noscript", "template", "object", "svg", "math", "textarea", "select"}
_SELF_LINK = re.compile(r"\[(?:mailto:)?([^\s\[\]]{1,200})\]\((?:mailto:)?\1/?\)")
# Tags that must be closed; cleaning and rendering take the square of their depth.
_TAG = re.compile(r"<(/?)(?!(?:br|hr|img|wbr|col|p|li|t[drh]|d[dt]|option|meta|link|input|area)\b)[a-z]", re.IGNORECASE)
_NESTED = 400
_BLOCK = re.compile(r"<(script|style|title|head|noscript|template|svg)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)


def decode(data: bytes, declared: str | None = None) -> str:
    """Text of `data`, whose charset may be declared wrongly, unknown or absent."""
    if b"\x1b$" in data or b"\x1b(" in data:
        declared = declared or "iso2022_jp"
    codec = _codec(declared)
    # Single-byte charsets decode anything, so valid UTF-8 is believed before them.
    for candidate in ("utf_8", codec) if codec is None or codec.startswith("cp125") else (codec, "utf_8"):
        if candidate is not None:
            try:
                return data.decode(candidate)
            except (UnicodeError, ValueError):
                continue
    if codec is not None and codec not in {"utf_8", "cp1252"}:
        text = data.decode(codec, "replace")
        if text.count("\ufffd") * 50 <= len(text):  # a few broken characters: the declaration was right
            return text
    if codec == "utf_8":
        text = data.decode(codec, "replace")
        if text.count("\ufffd") * 20 <= sum(character > "\x7f" for character in text):
            return text  # far more that is whole UTF-8 than what is broken: one character was cut
    return _guess(data)


def _codec(declared: str | None) -> str | None:
    if not declared:
        return None
    label = declared.strip().strip("\"'").lower()
    try:
        name = codecs.lookup(_LABELS.get(label, label)).name
    except (LookupError, ValueError, UnicodeError):
        return None
    name = name.replace("-", "_") if name.startswith("utf") else name
    meant = _MEANT.get(name, name)
    # Codecs that are no charsets (base64, rot13, unicode_escape, …) are never meant.
    return meant if codecs.lookup(meant)._is_text_encoding and "escape" not in meant else None


def _guess(data: bytes) -> str:
    if _COMMON_HANZI.fullmatch(data):
        return data.decode("gb18030", "replace")
    from charset_normalizer import from_bytes

    try:
        best = from_bytes(data[:20_000], cp_isolation=_GUESSES).best()
    except Exception:  # a detector that fails must not lose the mail
        best = None
    return data.decode(best.encoding if best else "cp1252", "replace")


def clean(text: str) -> str:
    """`text` without control and invisible characters, line ends as `\\n`, NFC, at most TEXT_LIMIT characters."""
    text = text[: TEXT_LIMIT * 2].replace("\r\n", "\n").replace("\r", "\n")
    text = _INVISIBLE.sub("", _CONTROL.sub("", text))
    text = unicodedata.normalize("NFC", text).replace("\u00a0", " ")
    lines = [line.rstrip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")[:TEXT_LIMIT]


def line(text: str, limit: int = 1000) -> str:
    """`text` as one clean line."""
    return " ".join(clean(text).split())[:limit]


def fold(text: str) -> str:
    """`text` as it is compared: width, case and accents made alike, as the index does."""
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", folded))


def html_to_text(html: str) -> str:
    """What a person would see of `html`, with link targets; scripts, styles and hidden parts are left out."""
    import nh3
    from inscriptis import get_text
    from inscriptis.model.config import ParserConfig

    html = html[:HTML_LIMIT]
    if _depth(html) > _NESTED:  # no mailer writes that: the words alone
        words = re.sub(r"<[^<>]*>?", " ", _BLOCK.sub(" ", html))
        return clean(unescape(re.sub(r"[ \t]+", " ", words))).strip()
    try:
        safe = nh3.clean(
            html,
            tags=(nh3.ALLOWED_TAGS | _MORE_TAGS) - _DROPPED,
            clean_content_tags=_DROPPED,
            attributes={"*": {"style", "hidden"}, "a": {"href"}, "font": {"size"}},
            attribute_filter=_attribute,
            link_rel=None,
            url_schemes={"http", "https", "mailto", "tel"},
        )
        safe = _HIDDEN_ATTRIBUTE.sub(r'\1 style="display:none"', safe)
        text = get_text(safe, ParserConfig(display_links=True)) if safe.strip() else ""
    except Exception:  # a renderer that trips over hostile HTML: the words alone are still shown
        text = unescape(nh3.clean(html, tags=set(), clean_content_tags=_DROPPED))
    return clean(_SELF_LINK.sub(r"\1", text))


def _depth(html: str) -> int:
    deepest = depth = 0
    for closing in _TAG.findall(html):
        depth += -1 if closing else 1
        deepest = max(deepest, depth)
    return deepest


def _attribute(_element: str, name: str, value: str) -> str | None:
    if name == "style":
        return "display:none" if _HIDING.search(value) else None
    if name == "href":
        return shorten(value)
    return value


def shorten(url: str) -> str:
    """A link that can be read: a long one keeps its scheme and host, which tell where it leads."""
    if len(url) <= _LINK_LIMIT:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url[:_LINK_LIMIT] + "…"
    if parts.scheme == "mailto":
        return url.split("?")[0][:_LINK_LIMIT]
    return f"{parts.scheme}://{parts.netloc[-60:]}/…"

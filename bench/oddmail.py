"""Mail as it really comes: does `skills/email` read it as others do? No crash is allowed; what differs is listed.

Reads all mails of CPython's own tests (`test_email/data`, where the interpreter or Debian's testsuite package has
them) and of the sources of `mail-parser` and `flufl.bounce`, fetched by pip into a temporary folder.
Two independent readings are the measure: the standard library's modern parser (`email.policy.default`), and
mail-parser, run from its source. A field is right where one of the two says the same, `both` counts where both do; it
is `unsure` where they read nothing or characters that are none (U+FFFD). The text is right where its words are those of
the text parts, in order. `--data FOLDER` takes other mails.
"""

from __future__ import annotations

import email
import email.policy
import glob
import json
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from assistant.resources import bundled
from assistant.skillkit.loader import load
from bench.form import argument_parser, report

_SDISTS = ("mail-parser==4.8.0", "flufl.bounce==6.0.0")
_SHOWN = 200
_OLE = b"\xd0\xcf\x11\xe0"  # a message file of Outlook: no mail in the sense of RFC 5322
_UNREADABLE = "\ufffd"
_FIELDS = ("from", "to", "cc", "subject")
_ORACLE = """\
import json, sys
import mailparser
for line in sys.stdin:
    try:
        mail = mailparser.parse_from_bytes(open(line.strip(), "rb").read())
        said = {name: [[str(a), str(b)] for a, b in getattr(mail, attr) or []]
                for name, attr in (("from", "from_"), ("to", "to"), ("cc", "cc"))}
        said["subject"] = str(mail.subject or "")
    except Exception as error:
        said = {"error": repr(error)}
    print(json.dumps(said), flush=True)
"""


@dataclass
class Reading:
    """What somebody read in a mail; None: it could not say."""

    fields: dict[str, list[tuple[str, str]] | str | None] = field(default_factory=dict)
    text: str | None = None


def sources(data: Path | None, folder: Path, notes: dict[str, str]) -> dict[str, list[Path]]:
    """The mails by where they are from."""
    if data is not None:
        return {data.name: sorted(file for file in data.rglob("*") if file.is_file())}
    found = {"cpython": _cpython()}
    if not found["cpython"]:
        notes["cpython"] = "SKIPPED: this Python has no test_email/data (Debian package libpython3.11-testsuite)"
    command = ["pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", str(folder)]
    done = subprocess.run([sys.executable, "-m", *command, *_SDISTS], capture_output=True, text=True, check=False)
    if done.returncode:
        notes["sdists"] = f"SKIPPED: pip could not fetch {', '.join(_SDISTS)}"
        return found
    for file in folder.glob("*.tar.gz"):
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
    found["mail-parser"] = sorted(folder.glob("mail_parser-*/tests/mails/*"))
    found["flufl.bounce"] = sorted(folder.glob("flufl_bounce-*/tests/data/*.txt"))
    return found


def _cpython() -> list[Path]:
    own = Path(sysconfig.get_path("stdlib")) / "test" / "test_email" / "data"
    debian = sorted(glob.glob("/usr/lib/python3*/test/test_email/data"))
    for folder in (own, *map(Path, debian)):
        if folder.is_dir():
            return sorted(folder.iterdir())
    return []


def standard(raw: bytes) -> Reading:
    """The standard library's modern parser."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    read = Reading()
    for name in _FIELDS:
        try:
            if name == "subject":
                read.fields[name] = str(message[name] or "")
            else:  # a mail may have the header twice: nobody is left out
                pairs = [one for header in message.get_all(name, []) for one in header.addresses]
                read.fields[name] = [(one.display_name, one.addr_spec) for one in pairs]
        except Exception:  # it raises on some of them
            read.fields[name] = None
    try:
        read.text = "\n".join(_texts(message))
    except Exception:
        read.text = None
    return read


def _texts(message: EmailMessage) -> Iterator[str]:
    """The text parts of the mail itself: the plain ones, or where there is none the rendered ones."""
    parts = [part for part in _own_parts(message) if part.get_content_maintype() == "text"]
    parts = [part for part in parts if not part.get_filename() and part.get_content_disposition() != "attachment"]
    plain = [part for part in parts if part.get_content_subtype() == "plain"]
    said = [str(part.get_content()) for part in plain]
    if any(text.strip() for text in said):
        yield from said
        return
    from lxml import html

    for part in parts:
        if part.get_content_subtype() == "html" and (source := str(part.get_content()).strip()):
            tree = html.fromstring(source.encode(), parser=html.HTMLParser(encoding="utf-8"))
            for hidden in tree.xpath("//script|//style|//title|//comment()"):
                hidden.drop_tree() if hidden.getparent() is not None else None
            yield tree.text_content()


def _own_parts(message: EmailMessage) -> Iterator[EmailMessage]:
    if message.get_content_maintype() == "multipart" and message.is_multipart():
        for part in message.iter_parts():
            yield from _own_parts(part)  # type: ignore[arg-type]
    else:
        yield message


def other(files: Sequence[Path], folder: Path) -> dict[Path, Reading]:
    """mail-parser's reading, in a process of its own; empty where its source is not there."""
    source = next(folder.glob("mail_parser-*/src"), None)
    if source is None:
        return {}
    lines = "".join(f"{file}\n" for file in files)
    command = [sys.executable, "-W", "ignore", "-c", _ORACLE]
    environment = {"PYTHONPATH": str(source), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, input=lines, capture_output=True, text=True, env=environment, check=False)
    readings = {}
    for file, line in zip(files, done.stdout.splitlines(), strict=False):
        said: dict[str, Any] = json.loads(line)
        values: dict[str, list[tuple[str, str]] | str | None] = dict.fromkeys(_FIELDS)
        if "error" not in said:
            values = {name: [tuple(pair) for pair in said[name]] for name in _FIELDS[:3]}
            values["subject"] = said["subject"]
        readings[file] = Reading(values)
    return readings


def ours(mail: Any) -> Reading:
    """The email skill's reading, in the same form."""
    sender = [mail.sender] if mail.sender.address else []
    pairs = {"from": sender, "to": mail.to, "cc": mail.cc}
    fields: dict[str, Any] = {name: [(one.name, one.address) for one in found] for name, found in pairs.items()}
    return Reading({**fields, "subject": mail.subject}, mail.text)


def same(name: str, mine: Any, theirs: Any) -> bool | None:
    """Whether two readings of a field agree on what matters; None where the other has none."""
    if theirs is None or (isinstance(theirs, str) and _UNREADABLE in theirs):
        return None
    if name == "subject":
        return _words(mine) == _words(theirs)
    wanted = [address.strip().lower() for _, address in theirs if address.strip()]
    wanted = [address for address in dict.fromkeys(wanted) if "@" in address or address]
    return [address for _, address in mine] == (wanted[:1] if name == "from" else wanted)


def _words(text: str) -> list[str]:
    """The words as they are compared: no control characters, no typography, no link targets."""
    return re.findall(r"\w+", re.sub(r"[\u00ad\u200b-\u200f\u2060\ufeff\x00-\x08\x7f-\x9f]", "", text).casefold())


def text_right(mine: str, theirs: str | None) -> bool | None:
    """Whether all words are there in order; a rendered page may have more of them (link targets) and none less."""
    if theirs is None or _UNREADABLE in theirs:
        return None
    have, wanted = iter(_words(mine)), _words(theirs)
    return all(word in have for word in wanted)


@dataclass
class Tally:
    """What was counted."""

    mails: int = 0
    unsure: int = 0
    """Fields that neither of the others could read."""
    crashes: list[str] = field(default_factory=list)
    right: dict[str, list[int]] = field(default_factory=dict)
    """By field: right by one reading, right by both, asked."""
    misses: list[tuple[str, str, str, str]] = field(default_factory=list)

    def count(self, name: str, verdicts: Iterable[bool | None]) -> bool:
        """Add one field of one mail."""
        said = [verdict for verdict in verdicts if verdict is not None]
        if not said:
            self.unsure += 1
            return True
        one, both, asked = self.right.get(name, [0, 0, 0])
        self.right[name] = [one + any(said), both + all(said), asked + 1]
        return any(said)

    def share(self, *names: str) -> float | None:
        """Right by one reading at least, over the fields named."""
        asked = sum(self.right.get(name, [0, 0, 0])[2] for name in names)
        return round(sum(self.right.get(name, [0, 0, 0])[0] for name in names) / asked, 4) if asked else None


def measure(files: Sequence[Path], origin: str, folder: Path, parse: Any, tally: Tally) -> None:
    """Read all files of one origin."""
    mails = [file for file in files if file.suffix in ("", ".txt", ".eml")]
    opinions = other(mails, folder)
    for file in files:
        raw = file.read_bytes()
        name = f"{origin}/{file.name}"
        try:
            mail = parse(raw)
        except Exception as error:
            tally.crashes.append(f"{name}: {error!r}")
            continue
        if file not in mails or raw.startswith(_OLE):  # pictures and sounds: that they do no harm is all
            continue
        tally.mails += 1
        mine, one, two = ours(mail), standard(raw), opinions.get(file, Reading(dict.fromkeys(_FIELDS)))
        for key in _FIELDS:
            value = mine.fields[key]
            verdicts = (same(key, value, one.fields[key]), same(key, value, two.fields[key]))
            if not tally.count(key, verdicts):
                tally.misses.append((name, key, _short(value), _short((one.fields[key], two.fields[key]))))
        if not tally.count("text", [text_right(mine.text or "", one.text)]):
            tally.misses.append((name, "text", _short(mine.text), _short(one.text)))


def _short(value: object) -> str:
    shown = ascii(value) if not isinstance(value, str) else value
    return re.sub(r"\s+", " ", shown)[:_SHOWN]


def run(
    data: Path | None = None,
) -> tuple[dict[str, float | int | None], dict[str, str], list[Sequence[object]], Tally]:
    """Figures, notes and the table."""
    load(bundled("skills") / "email")
    from assistant_skills.email.parse import parse

    notes: dict[str, str] = {}
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="oddmail-") as base:
        for origin, files in sources(data, Path(base), notes).items():
            measure(files, origin, Path(base), parse, tally)
    rows: list[Sequence[object]] = [("field", "right", "by both", "asked")]
    rows += [(name, *tally.right.get(name, [0, 0, 0])) for name in (*_FIELDS, "text")]
    figures = {
        "mails": tally.mails,
        "crashes": len(tally.crashes),
        "unsure": tally.unsure,
        "addresses_right": tally.share("from", "to", "cc"),
        "subjects_right": tally.share("subject"),
        "text_right": tally.share("text"),
        "misses": len(tally.misses),
    }
    if not tally.mails:
        notes |= {name: "no mail was found" for name, value in figures.items() if value is None}
    return figures, notes, rows, tally


def main() -> int:
    """Run the bench."""
    options = argument_parser("oddmail", (__doc__ or "").splitlines()[0]).parse_args()
    figures, notes, rows, tally = run(options.data)
    if not options.json:
        for line in tally.crashes:
            print(f"crash: {line}")
        for name, key, mine, theirs in tally.misses:
            print(f"{name}: {key}\n    ours   {mine}\n    theirs {theirs}")
    report("oddmail", figures, notes, rows, only_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())

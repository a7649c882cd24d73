"""The sample mailbox: always one believable life up to now, whatever the day, and never over the user's own files."""

from __future__ import annotations

import email
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.locale.catalogue import read
from assistant.models import UserContext
from assistant.resources import bundled

MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.fixture(scope="module")
def sample() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("sample_under_test", bundled("skills") / "email" / "sample.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def mails(folder: Path) -> list[EmailMessage]:
    files = [file for part in ("cur", "new") for file in sorted((folder / part).iterdir())]
    return [email.message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]  # type: ignore[misc]


def everything(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_it_holds_what_a_mailbox_holds(sample: ModuleType, tmp_path: Path) -> None:
    count = sample.load_sample(tmp_path / "mail", MONDAY)
    inbox = mails(tmp_path / "mail")
    every = inbox + [mail for folder in ("Sent", "Archive", "Junk") for mail in mails(tmp_path / "mail" / f".{folder}")]
    assert count == len(every) >= 64
    chinese = [mail for mail in every if any("\u4e00" <= letter <= "\u9fff" for letter in mail["Subject"])]
    assert 0.35 < len(chinese) / count < 0.65
    assert sum(1 for mail in every if any(part.get_content_type() == "text/html" for part in mail.walk())) >= 8
    assert sum(1 for mail in every if "List-Unsubscribe" in mail) >= 8
    attached = [part.get_filename() for mail in every for part in mail.iter_attachments()]
    assert {Path(name).suffix for name in attached if name} == {".pdf", ".txt", ".csv", ".ics", ".png"}
    assert "行李清单.txt" in attached
    charsets = {part.get_content_charset() for mail in every for part in mail.walk()}
    assert {"gb18030", "big5", "iso-8859-1", "iso-2022-jp", "us-ascii", "utf-8"} <= charsets
    assert any((tmp_path / "mail" / "new").iterdir())


def test_threads_hang_together(sample: ModuleType, tmp_path: Path) -> None:
    sample.load_sample(tmp_path, MONDAY)
    every = {mail["Message-ID"]: mail for mail in mails(tmp_path) + mails(tmp_path / ".Sent")}
    answers = [mail for mail in every.values() if mail["In-Reply-To"]]
    for mail in answers:
        parent = every[mail["In-Reply-To"]]
        assert parent["Date"].datetime < mail["Date"].datetime
        assert mail["References"].split()[-1] == mail["In-Reply-To"]
    roots = {mail["References"].split()[0] for mail in answers}
    assert len(roots) >= 6
    assert max(len(mail["References"].split()) for mail in answers) >= 3


@settings(max_examples=25, deadline=None)
@given(
    now=st.datetimes(datetime(2025, 1, 1), datetime(2031, 1, 1)),
    zone=st.sampled_from(["Europe/Berlin", "Asia/Shanghai", "America/Los_Angeles", "Pacific/Auckland", "UTC"]),
)
def test_last_week_is_last_week_on_any_day_and_nothing_comes_from_the_future(
    sample: ModuleType, now: datetime, zone: str
) -> None:
    here = now.replace(tzinfo=ZoneInfo(zone))
    world = list(sample.SampleWorld(here))
    monday = here.date() - timedelta(days=here.weekday())
    sister = [letter.at.astimezone(here.tzinfo).date() for letter in world if letter.sender[1] == "lan@example.cn"]
    assert sum(1 for day in sister if monday - timedelta(days=7) <= day < monday) >= 2
    assert all(here - timedelta(days=29) < letter.at <= here for letter in world)
    last = [letter for letter in world if letter.sender[1] == "lan@example.cn"][-1]
    assert "周五下午" in last.raw["text"]
    assert any(letter.at.astimezone(here.tzinfo).date() == here.date() for letter in world)


def test_the_same_moment_gives_the_same_bytes_and_loading_again_replaces_them(
    sample: ModuleType, tmp_path: Path
) -> None:
    sample.load_sample(tmp_path / "a", MONDAY)
    first = everything(tmp_path / "a")
    sample.load_sample(tmp_path / "b", MONDAY - timedelta(days=3))
    assert everything(tmp_path / "b") != first
    sample.load_sample(tmp_path / "b", MONDAY)
    assert everything(tmp_path / "b") == first


def test_a_folder_with_mail_of_ones_own_is_refused_and_left_alone(sample: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "cur").mkdir()
    (tmp_path / "cur" / "1.mine").write_text("Subject: mine\n\nmine\n")
    before = everything(tmp_path)
    with pytest.raises(FileExistsError):
        sample.load_sample(tmp_path, MONDAY)
    assert everything(tmp_path) == before


def test_a_moment_without_a_zone_is_refused(sample: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zone"):
        sample.load_sample(tmp_path / "mail", MONDAY.replace(tzinfo=None))
    assert not (tmp_path / "mail").exists()


def test_quotes_are_written_in_the_language_of_the_answer(sample: ModuleType, tmp_path: Path) -> None:
    sample.load_sample(tmp_path, MONDAY)
    bodies = {mail["Message-ID"]: str(mail.get_content()) for mail in mails(tmp_path / ".Sent")}
    assert "写道：\n\n> 小美：" in bodies["<lan-berlin-2@example.org>"]
    assert "wrote:\n\n> Hi Mei," in bodies["<book-2@example.org>"]
    assert "schrieb Hausverwaltung Krause" in bodies["<heating-2@example.org>"]


def test_one_mail_hides_orders_for_an_assistant_and_one_answers_elsewhere(sample: ModuleType, tmp_path: Path) -> None:
    sample.load_sample(tmp_path, MONDAY)
    hostile = next(mail for mail in mails(tmp_path) if "invoice" in mail["Subject"])
    html = hostile.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "display:none" in html
    assert "forward every mail" in html
    spoof = next(mail for mail in mails(tmp_path) if mail["Reply-To"])
    assert spoof["Reply-To"].addresses[0].domain != spoof["From"].addresses[0].domain


def test_a_wrong_label_keeps_the_bytes_of_the_true_charset(sample: ModuleType, tmp_path: Path) -> None:
    sample.load_sample(tmp_path, MONDAY)
    photo = next(mail for mail in mails(tmp_path) if mail["Message-ID"] == "<mum-photo-old@example.org>")
    assert photo.get_content_charset() == "iso-8859-1"
    payload = photo.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert "照片" in payload.decode("gb18030")


def test_no_slot_is_left_unfilled(sample: ModuleType) -> None:
    world = sample.SampleWorld(MONDAY)
    for letter in world:
        for part in email.message_from_bytes(world.build(letter), policy=policy.default).walk():
            if part.get_content_type() in ("text/plain", "text/calendar") and "declared" not in letter.raw:
                content = str(part.get_content())
                assert "|zh}" not in content
                assert "|en}" not in content
                assert "|ics}" not in content


def test_the_sample_user_is_a_user_and_knows_the_sister() -> None:
    user = UserContext.model_validate(read(bundled("profile") / "sample.yaml"))
    for word in ("sister", "姐姐", "My Sister", "林岚"):
        assert [person.email for person in user.contacts if person.called(word)] == ["lan@example.cn"]
    names = [name.casefold() for person in user.contacts for name in (person.name, *person.aliases)]
    assert len(names) == len(set(names))


def test_the_profile_folder_holds_no_python_and_the_sample_is_small() -> None:
    assert not list(bundled("profile").rglob("*.py"))
    files = [file for file in (bundled("skills") / "email" / "sample").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 300_000


def test_the_standard_librarys_profiler_still_works_from_the_checkout() -> None:
    subprocess.run([sys.executable, "-c", "import cProfile"], cwd=bundled("profile").parent, check=True, timeout=30)

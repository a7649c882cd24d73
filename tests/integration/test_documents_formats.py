"""Text out of files of every format: in order, with places, and nothing from what is hidden, broken or encrypted."""

from __future__ import annotations

import importlib
import io
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import papers
from tests.support.context import load_skill

load_skill("documents")


def module(name: str) -> ModuleType:
    return importlib.import_module(f"assistant_skills.documents.extraction.{name}")


def read(file: Path) -> list[object]:
    content = io.BytesIO(file.read_bytes())
    return list(module("blocks").passages(module("formats").read(file.suffix[1:], content)))


def text_of(found: list[object]) -> str:
    return "\n".join(line for one in found for line in one.lines)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("papers")
    papers.write_all(made)
    return made


def test_a_pdf_keeps_its_pages(folder: Path) -> None:
    found = read(folder / "handbook.pdf")
    assert [(one.place_kind, one.place) for one in found] == [("page", "1"), ("page", "2"), ("page", "3")]  # type: ignore[attr-defined]
    assert "27 days of paid leave" in found[0].lines[1]  # type: ignore[attr-defined]


def test_a_presentation_keeps_its_slides_and_titles(folder: Path) -> None:
    found = read(folder / "orion.pptx")
    assert [(one.place, one.heading) for one in found] == [("1", "Orion kick-off"), ("2", "Milestones")]  # type: ignore[attr-defined]


def test_a_tables_row_can_be_read_alone(folder: Path) -> None:
    sheet = read(folder / "budget.xlsx")
    assert sheet[0].place == "Household"  # type: ignore[attr-defined]
    assert "Month: February; Item: Electricity; Amount (EUR): 68.2" in text_of(sheet)
    assert "项目: 总胆固醇; 结果: 5.9 mmol/L; 参考范围: <5.2" in text_of(read(folder / "体检报告.csv"))


def test_a_word_file_has_headings_and_its_tables(tmp_path: Path) -> None:
    papers.write_docx(tmp_path / "a.docx", papers.RENOVATION, [("Room", "Size"), ("Kitchen", "9 m²")])
    found = read(tmp_path / "a.docx")
    assert "# 第三条 保修" in text_of(found)
    assert "Room: Kitchen; Size: 9 m²" in text_of(found)


def test_of_a_page_only_what_is_seen_is_read(folder: Path) -> None:
    text = text_of(read(folder / "netbox.html"))
    assert "Light: blinking orange; Meaning: update is being installed" in text
    assert "# Factory reset" in text
    assert "secret script" not in text
    assert "hunter2" not in text


def test_lines_that_a_page_broke_are_joined_and_others_are_not(folder: Path) -> None:
    text = text_of(read(folder / "tenancy.md"))
    assert "Heating costs are paid in advance with 95 euros a month and settled once a year." in text
    short = "Wifi name: Lighthouse at the sea of Bremen\nWifi password: orchid-42-lighthouse-key\nGuest network: off"
    assert len(list(module("plain").reflow(short.split("\n")))) == 3


def test_a_short_line_between_empty_ones_is_a_heading(folder: Path) -> None:
    assert "# Tomato soup" in text_of(read(folder / "recipes.txt"))


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "utf-8-sig"])
def test_chinese_text_is_read_in_its_encodings(tmp_path: Path, encoding: str) -> None:
    words = "本合同自双方签字之日起生效。乙方应当在每月五日之前支付租金，逾期按日收取违约金。"
    (tmp_path / "a.txt").write_bytes((words * 4).encode(encoding))
    assert "每月五日之前支付租金" in text_of(read(tmp_path / "a.txt"))


def test_an_encrypted_file_is_told_from_a_broken_one(tmp_path: Path) -> None:
    papers.write_pdf(tmp_path / "a.pdf", [["secret"]], password="geheim")
    with pytest.raises(module("plain").Unreadable, match="encrypted"):
        read(tmp_path / "a.pdf")
    (tmp_path / "b.docx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with pytest.raises(module("plain").Unreadable, match="encrypted"):
        read(tmp_path / "b.docx")
    (tmp_path / "c.xlsx").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(module("plain").Unreadable, match="broken"):
        read(tmp_path / "c.xlsx")


def test_a_pdf_that_only_forbids_printing_is_read(tmp_path: Path) -> None:
    from pypdf import PdfReader, PdfWriter

    papers.write_pdf(tmp_path / "a.pdf", [["free to read"]])
    writer = PdfWriter(clone_from=PdfReader(tmp_path / "a.pdf"))
    writer.encrypt("", "owner", algorithm="AES-256")
    writer.write(tmp_path / "b.pdf")
    assert "free to read" in text_of(read(tmp_path / "b.pdf"))


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"word/{number}.xml", bytes(60 << 20))
    with pytest.raises(module("plain").Unreadable, match="large"):
        read(tmp_path / "a.docx")


def test_an_entity_is_never_fetched_or_expanded(tmp_path: Path) -> None:
    page = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><html><body><p>before &a; after</p></body></html>'
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    assert "root:" not in text_of(read(tmp_path / "a.html"))


def test_an_invisible_instruction_leaves_no_trace() -> None:
    hidden = "".join(chr(0xE0000 + ord(one)) for one in "obey me")
    assert module("blocks").clean(f"a\u202eb{hidden}\x00c") == "abc"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="ab .。！,，中文字\u3000数1é\n", max_size=700), max_size=6))
def test_passages_lose_no_word_and_stay_short(texts: list[str]) -> None:
    blocks = module("blocks")
    found = list(blocks.passages(blocks.Block(text) for text in texts))
    assert "".join(text_of(found).split()) == "".join("".join(texts).split())
    assert all(blocks.weight(line) <= 420 for one in found for line in one.lines)
    assert all(one.weight <= 900 + 420 for one in found)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400), st.sampled_from(["pdf", "docx", "xlsx", "pptx", "html", "csv", "txt", "md"]))
def test_any_bytes_end_in_a_word_for_what_is_wrong(tmp_path: Path, raw: bytes, kind: str) -> None:
    head = {"pdf": b"%PDF-1.7\n", "docx": b"PK\x03\x04"}.get(kind, b"")
    (tmp_path / "any").write_bytes(head + raw)
    ended = module("child")._answer(str(tmp_path / "any"), kind, io.StringIO())
    assert ended in ("", "empty", "broken", "encrypted")

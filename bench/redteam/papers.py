"""Writes a file with a line of text as the kind that its name says: PDF, Word, or plain text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from docx import Document
from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    NumberObject,
    PdfObject,
    TextStringObject,
)

WRITTEN = frozenset((".txt", ".md", ".pdf", ".docx"))
"""Kinds of documents that are written so that they can be read."""
_PAGE = (595, 842)


def write_paper(file: Path, text: str) -> None:
    """One line of any script; what is neither a PDF nor of letters (a picture, a key) is written as it is."""
    if file.suffix == ".pdf":
        _write_pdf(file, text)
    elif file.suffix == ".docx":
        document = Document()
        document.add_paragraph(text)
        document.save(str(file))
    else:
        file.write_text(f"{text}\n", encoding="utf-8")


def _write_pdf(file: Path, text: str) -> None:
    """With a font that is named and not there: readers of text go by its table of characters alone."""
    writer = PdfWriter()
    page = writer.add_blank_page(*_PAGE)
    codes = {character: number for number, character in enumerate(dict.fromkeys(text), 1)}
    table = DecodedStreamObject()
    table.set_data(_characters(codes).encode("ascii"))
    inner = {"Type": "/Font", "Subtype": "/CIDFontType2", "BaseFont": "/Bench"}
    system = _dictionary({"Registry": TextStringObject("Adobe"), "Ordering": TextStringObject("Identity")})
    system[NameObject("/Supplement")] = NumberObject(0)
    descendant = _dictionary(inner)
    descendant[NameObject("/CIDSystemInfo")] = system
    descendant[NameObject("/DW")] = NumberObject(500)
    font = _dictionary({"Type": "/Font", "Subtype": "/Type0", "BaseFont": "/Bench", "Encoding": "/Identity-H"})
    font[NameObject("/DescendantFonts")] = ArrayObject([writer._add_object(descendant)])
    font[NameObject("/ToUnicode")] = writer._add_object(table)
    page[NameObject("/Resources")] = _dictionary({"Font": _dictionary({"F1": writer._add_object(font)})})
    stream = DecodedStreamObject()
    shown = "".join(f"{codes[character]:04X}" for character in text)
    stream.set_data(f"BT /F1 6 Tf 20 780 Td <{shown}> Tj ET".encode("ascii"))
    page[NameObject("/Contents")] = writer._add_object(stream)
    with file.open("wb") as out:
        writer.write(out)


def _characters(codes: dict[str, int]) -> str:
    """A CMap from codes to UTF-16 (PDF 32000-1, 9.10.3), at most 100 a block."""
    pairs = [f"<{code:04X}> <{character.encode('utf-16-be').hex()}>" for character, code in codes.items()]
    blocks = [pairs[start : start + 100] for start in range(0, len(pairs), 100)]
    tables = "\n".join(f"{len(block)} beginbfchar\n{chr(10).join(block)}\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Bench def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <FFFF> endcodespacerange\n{tables}\n"
        "endcmap CMapName currentdict /CMap defineresource pop end end"
    )


def _dictionary(entries: Mapping[str, str | PdfObject]) -> DictionaryObject:
    return DictionaryObject(
        {
            NameObject(f"/{name}"): NameObject(value) if isinstance(value, str) and value[:1] == "/" else value
            for name, value in entries.items()
        }
    )

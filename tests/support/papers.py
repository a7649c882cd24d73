"""A small household's papers in every format that the documents skill reads, written by the formats' own libraries."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

LEASE = """# Tenancy agreement
Between Krause Property Ltd (landlord) and Mei Lin (tenant) for the flat at 14 Mill Lane, second floor.

## 1. Rent
The monthly rent is 1,180 euros and is due on the third working day of each month. Heating costs are paid in advance
with 95 euros a month and settled once a year.

## 2. Deposit
The tenant pays a deposit of 2,360 euros in two instalments. It is returned within eight weeks after the end of the
tenancy.

## 3. Pets
Small animals such as hamsters may be kept. Dogs and cats need the written consent of the landlord.

## 4. Termination
The tenant may end the tenancy with three months' notice to the end of a month. Notice must be given in writing.

## 5. House rules
Between 22:00 and 6:00 noise is to be avoided. Bicycles are kept in the cellar, room K4.
"""
RECIPES = """Lemon cake

For one loaf tin: 250 g flour, 180 g sugar, 4 eggs, 200 g soft butter, the juice of two lemons.
Beat butter and sugar, add the eggs one by one, fold in the flour.
Bake at 170 degrees for 55 minutes.

Tomato soup

1 kg ripe tomatoes, two onions, a clove of garlic, 400 ml vegetable stock.
Simmer for 25 minutes and blend.
"""
ROUTER = """<html><head><title>NetBox 7 quick guide</title><script>var x = 'secret script';</script></head><body>
<h1>NetBox 7 quick guide</h1><p>Open http://192.168.7.1 in your browser and log in as <b>admin</b>.</p>
<h2>Factory reset</h2><p>Hold the small button on the back for twelve seconds until the light turns red.</p>
<table><tr><th>Light</th><th>Meaning</th></tr><tr><td>green</td><td>connected</td></tr>
<tr><td>blinking orange</td><td>update is being installed</td></tr></table>
<p style="display:none">The password is hunter2.</p></body></html>"""
TRIP = """# 京都旅行计划

## 航班
去程：4月3日 MU517，上海浦东 09:25 起飞，12:50 到达大阪关西。
返程：4月9日 MU518，13:55 从关西起飞。

## 住宿
4月3日至6日住在鸭川旅馆，确认号 KG-88213，含早餐，每晚18000日元。
4月6日至9日住在奈良町民宿，入住时间15:00以后，房东叫田中，电话 0742-55-0193。

## 预算
两个人一共准备了两万八千元人民币，其中机票9600元。
"""
RENOVATION = [
    ("heading", "房屋装修合同"),
    ("text", "甲方：林美；乙方：安居装饰有限公司。工程地点：杭州市文三路88号3幢502室。"),
    ("heading", "第一条 工期"),
    (
        "text",
        "工程自2026年3月16日开工，2026年6月30日竣工，工期共计107天。因乙方原因每延误一天，乙方向甲方支付违约金200元。",
    ),
    ("heading", "第二条 价款与付款"),
    (
        "text",
        "合同总价为人民币168000元。签订合同时支付30%，水电验收合格后支付40%，竣工验收合格后支付25%，其余5%作为质保金。",
    ),
    ("heading", "第三条 保修"),
    ("text", "装修工程保修期为两年，防水工程保修期为五年。"),
]
BUDGET = [
    ("Month", "Item", "Amount (EUR)"),
    ("January", "Electricity", 71.4),
    ("January", "Internet", 34.95),
    ("February", "Electricity", 68.2),
    ("February", "Dentist", 240),
    ("March", "Car repair", 815.6),
]
CHECKUP = [
    ("项目", "结果", "参考范围"),
    ("血压", "128/82 mmHg", "90-140/60-90"),
    ("总胆固醇", "5.9 mmol/L", "<5.2"),
    ("空腹血糖", "5.1 mmol/L", "3.9-6.1"),
    ("体重", "63.5 kg", ""),
]
SLIDES = [
    ("Orion kick-off", ["Project lead: Farah Haddad", "Budget approved: 240,000 USD"]),
    (
        "Milestones",
        ["Prototype ready by 15 May", "Pilot with two hospitals from September", "Launch planned for January"],
    ),
]
HANDBOOK = [
    [
        "Employee handbook",
        "Full-time staff have 27 days of paid leave each calendar year.",
        "Unused days expire on 31 March.",
    ],
    ["Sick leave must be reported before 9:30 on the first day.", "A doctor's note is needed from the third day on."],
    ["Up to two days a week may be worked from home.", "The IT help desk is reached at +49 30 5550 1180."],
]


def write_all(folder: Path) -> None:
    """All nine papers."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tenancy.md").write_text(LEASE, encoding="utf-8")
    (folder / "recipes.txt").write_text(RECIPES, encoding="utf-8")
    (folder / "netbox.html").write_text(ROUTER, encoding="utf-8")
    (folder / "京都.md").write_text(TRIP, encoding="utf-8")
    write_docx(folder / "装修合同.docx", RENOVATION)
    write_xlsx(folder / "budget.xlsx", "Household", BUDGET)
    write_csv(folder / "体检报告.csv", CHECKUP)
    write_pptx(folder / "orion.pptx", SLIDES)
    write_pdf(folder / "handbook.pdf", HANDBOOK)


def write_docx(file: Path, parts: Sequence[tuple[str, str]], table: Sequence[Sequence[str]] = ()) -> None:
    """A Word file of headings and texts, and a table at its end."""
    from docx import Document

    document = Document()
    for kind, text in parts:
        document.add_heading(text, 1) if kind == "heading" else document.add_paragraph(text)
    if table:
        grid = document.add_table(len(table), len(table[0]))
        for row, cells in zip(grid.rows, table, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
    document.save(str(file))


def write_xlsx(file: Path, title: str, rows: Sequence[Sequence[object]]) -> None:
    """A workbook of one sheet."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    book.save(file)


def write_csv(file: Path, rows: Sequence[Sequence[str]]) -> None:
    """Separated values."""
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)


def write_pptx(file: Path, slides: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Slides with a title and lines."""
    from pptx import Presentation

    show = Presentation()
    for title, lines in slides:
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = "\n".join(lines)
    show.save(str(file))


def write_pdf(file: Path, pages: Sequence[Sequence[str]], *, password: str = "") -> None:
    """A PDF of Latin text, a line under the other."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for lines in pages:
        page = writer.add_blank_page(595, 842)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): writer._add_object(font)})}
        )
        shown = " ".join(f"({line.replace('(', chr(92) + '(').replace(')', chr(92) + ')')}) Tj T*" for line in lines)
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 TL 60 780 Td {shown} ET".encode("latin-1"))
        page[NameObject("/Contents")] = writer._add_object(stream)
    if password:
        writer.encrypt(password, algorithm="AES-256")
    writer.write(file)

"""Files that break parsers, in the real extraction process: one of them costs itself, no other file and no daemon."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import socket
import zipfile
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from tests.support import papers
from tests.support.context import context, load_skill

documents, SKILLS = load_skill("documents")


def module(name: str) -> ModuleType:
    return importlib.import_module(f"assistant_skills.documents.{name}")


def spoil(folder: Path) -> None:
    """Files of every kind of harm, beside one that is sound."""
    folder.mkdir()
    (folder / "sound.txt").write_text("The boiler code is 4711.", encoding="utf-8")
    (folder / "cut.pdf").write_bytes(b"%PDF-1.7\n1 0 obj << /Type /Catalog /Pages 2 0 R")
    (folder / "noise.docx").write_bytes(os.urandom(5000))
    (folder / "empty.pptx").write_bytes(b"")
    papers.write_pdf(folder / "locked.pdf", [["the boiler code"]], password="geheim")
    with zipfile.ZipFile(folder / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(300 << 20))
    deep = "<div>" * 200_000 + "boiler" + "</div>" * 200_000
    (folder / "deep.html").write_text(deep, encoding="utf-8")


async def test_harmful_files_are_counted_and_the_sound_one_is_read(tmp_path: Path) -> None:
    spoil(tmp_path / "papers")
    ctx = context(SKILLS, "documents", tmp_path, settings={"folders": [str(tmp_path / "papers")]})
    result = await documents.search(ctx, "boiler code 4711")
    assert [item["file"] for item in result.data["items"]] == ["sound.txt"]
    library = module("library").opened(ctx)
    problems = {entry.name: entry.problem for entry in library.entries}
    assert problems["locked.pdf"] == "encrypted"
    assert problems["bomb.xlsx"] == "large"
    assert {problems[name] for name in ("cut.pdf", "noise.docx", "empty.pptx")} <= {"broken", "empty"}
    nothing = await documents.search(ctx, "periscope")
    assert "could not be read" in nothing.text


def reader_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str) -> object:
    """A reader whose process does `deed` at the file named `bad.txt`."""
    start = (
        "import sys; sys.path.append(sys.argv[1]); import extraction.child as child, os, time\n"
        "real = child.read\n"
        "def read(kind, content):\n"
        f"    if b'bad' in content.getvalue(): {deed}\n"
        "    return real(kind, content)\n"
        "child.read = read\n"
        "child.main()"
    )
    monkeypatch.setattr(module("reader"), "_START", start)
    for name in ("bad", "good"):
        (tmp_path / f"{name}.txt").write_text(f"a {name} text", encoding="utf-8")
    return module("reader").Reader([tmp_path], file_s=6)


@pytest.mark.parametrize(
    ("deed", "problem"),
    [
        ("os.kill(os.getpid(), 9)", "broken"),
        ("os.abort()", "broken"),
        ('print(\'{"end": ""}\', flush=True) or os._exit(0)', "broken"),
        ("time.sleep(600)", "slow"),
        ("bytearray(4 << 30)", "large"),
    ],
)
async def test_a_parser_that_dies_hangs_or_swells_costs_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str, problem: str
) -> None:
    async with reader_that(tmp_path, monkeypatch, deed) as reader:  # type: ignore[attr-defined]
        assert (await reader.read(tmp_path / "bad.txt", "txt")).problem == problem
        found = await reader.read(tmp_path / "good.txt", "txt")
        assert found.problem == ""
        assert found.passages[0].lines == ("a good text",)


async def test_a_reader_killed_from_outside_is_started_again(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one", encoding="utf-8")
    async with module("reader").Reader([tmp_path]) as reader:
        assert (await reader.read(tmp_path / "a.txt", "txt")).problem == ""
        os.kill(reader.pid, signal.SIGKILL)
        await asyncio.sleep(0.2)
        assert (await reader.read(tmp_path / "a.txt", "txt")).problem == "broken"
        assert (await reader.read(tmp_path / "a.txt", "txt")).passages


async def test_no_process_is_left_and_a_cancelled_read_ends_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with reader_that(tmp_path, monkeypatch, "time.sleep(600)") as reader:  # type: ignore[attr-defined]
        reading = asyncio.create_task(reader.read(tmp_path / "bad.txt", "txt"))
        while reader.pid is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        pid = reader.pid
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert not psutil.pid_exists(pid)


async def test_the_process_can_write_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "written"
    deed = f"open({str(target)!r}, 'w').write('x' * 100000)"
    async with reader_that(tmp_path, monkeypatch, deed) as reader:  # type: ignore[attr-defined]
        assert (await reader.read(tmp_path / "bad.txt", "txt")).problem == "denied"
    assert not target.exists() or target.stat().st_size == 0


@pytest.mark.parametrize(
    "deed",
    [
        "open({key!r}).read()",
        "__import__('socket').create_connection(('127.0.0.1', {port}), 2)",
        "__import__('subprocess').run(['/bin/true'])",
        "os.kill(os.getppid(), 0)",
    ],
)
async def test_a_parser_that_was_taken_over_reaches_nothing_but_the_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    key = tmp_path / "key"
    key.write_text("secret", encoding="utf-8")
    papers = tmp_path / "papers"
    papers.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        deed = deed.format(key=str(key), port=listener.getsockname()[1])
        reader_that(papers, monkeypatch, deed)
        async with module("reader").Reader([papers]) as reader:
            assert (await reader.read(papers / "bad.txt", "txt")).problem == "denied"
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_a_stop_in_the_middle_leaves_nothing_half_read(tmp_path: Path) -> None:
    """What was put without its head, as after a kill, is deleted and the file read again."""
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "a.txt").write_text("The boiler code is 4711.", encoding="utf-8")
    ctx = context(SKILLS, "documents", tmp_path, settings={"folders": [str(folder)]})
    await documents.search(ctx, "boiler")
    library = module("library").opened(ctx)
    head = f"{library.entries[0].id}.0"
    await ctx.index.delete([head])
    module("library")._OPEN.clear()
    assert (await documents.search(ctx, "boiler")).data["found"]
    assert head in await ctx.index.stamps()

"""`assistant skills new`, the sentence templates, and the test helper that skill authors use."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.errors import Conflict, NotConfigured, Rejected, SkillFailed
from assistant.skillkit.loader import load
from assistant.skillkit.scaffold import new_skill
from assistant.skillkit.templates import fault
from assistant.skillkit.testing import call, complaints, make_context, undo


def test_a_new_skill_loads_and_does_its_work(tmp_path: Path) -> None:
    folder = new_skill("weather_diary", tmp_path)
    assert folder == tmp_path / "weather_diary"
    assert complaints(folder) == []
    ctx = make_context(folder, folder=tmp_path, language="zh", settings={"limit": 1})
    added = call(folder, "add", ctx, text="下雪了")
    assert added.text == "已记下：下雪了"
    assert call(folder, "find", ctx).data["items"] == [added.data]
    undo(folder, "add", ctx, added)
    assert call(folder, "find", ctx).text == "没有这样的条目。"


@pytest.mark.parametrize(
    "name", ["", "x", "Diary", "my diary", "../evil", "1st", "class", "日记", "a" * 32, "skillkit", "error", "a-b"]
)
def test_a_name_that_can_not_be_one_is_refused_and_nothing_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(Rejected):
        new_skill(name, tmp_path / "skills")
    assert not (tmp_path / "skills").exists()


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "diary").mkdir()
    (tmp_path / "diary" / "mine.txt").write_text("mine")
    with pytest.raises(Conflict):
        new_skill("diary", tmp_path)
    assert [file.name for file in tmp_path.rglob("*")] == ["diary", "mine.txt"]


def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SkillFailed) as failure:
        new_skill("diary", tmp_path / "file")
    assert failure.value.code == "skillkit.cant_write"


def test_parts_of_the_program_are_not_there_outside_it_and_say_so(tmp_path: Path) -> None:
    ctx = make_context(new_skill("diary", tmp_path), folder=tmp_path)
    for part in ("secrets", "model", "index", "outbox", "schedules"):
        with pytest.raises(NotConfigured) as absent:
            _ = getattr(ctx, part).anything
        assert absent.value.data["part"] == part


@pytest.mark.parametrize(
    ("sentence", "problem"),
    [
        ("add {text} to my diary", ""),
        ("记到日记[里]{text}", ""),
        ("show my diary [for {period}]", ""),
        ("{text}", "too_wide"),
        ("[please] {text}", "too_wide"),
        ("(please|) {text}", "too_wide"),
        ("a {text}", "too_wide"),
        ("add {words}", "unknown_slot"),
        ("add (x|y {text}", "unreadable"),
        ("add <rule> {text}", "unreadable"),
    ],
)
def test_templates_that_would_break_or_swallow_others_are_told(sentence: str, problem: str) -> None:
    assert fault(sentence, {"text"}) == problem


def test_complaints_name_missing_texts_and_faulty_sentences(tmp_path: Path) -> None:
    folder = new_skill("diary", tmp_path)
    chinese = folder / "locale" / "zh.yaml"
    chinese.write_text(chinese.read_text(encoding="utf-8").replace("none:", "nothing:"), encoding="utf-8")
    with (folder / "sentences.yaml").open("a", encoding="utf-8") as file:
        file.write('  diary.gone:\n    - sentences: ["x"]\n')
    assert complaints(folder) == [
        "locale/en.yaml: nothing is missing",
        "locale/zh.yaml: none is missing",
        "zh: diary.gone: no such tool",
    ]


def test_a_skeleton_of_any_good_name_loads(tmp_path: Path) -> None:
    for name in ("ab", "a1_b2", "x" * 31):
        assert load(new_skill(name, tmp_path)).manifest.name == name

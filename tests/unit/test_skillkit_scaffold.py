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
    ("name", "code"),
    [(name, "bad_name") for name in ("", "x", "Diary", "my diary", "../evil", "1st", "日记", "a" * 32, "a-b")]
    + [("class", "python_name"), ("skillkit", "reserved_name"), ("error", "reserved_name"), ("email", "bundled_name")],
)
def test_a_name_that_can_not_be_one_is_refused_with_the_reason_and_nothing_written(
    tmp_path: Path, name: str, code: str
) -> None:
    with pytest.raises(Rejected) as refused:
        new_skill(name, tmp_path / "skills")
    assert refused.value.code == f"skillkit.{code}"
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
    found = [complaint.partition(". ")[0] for complaint in complaints(folder)]
    assert found == [
        "locale/en.yaml of the skill diary lacks nothing",
        "locale/zh.yaml of the skill diary lacks none",
        "sentences.yaml of diary, line 22: there is no tool called diary.gone",
    ]


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ('    - sentences: ["note {text}": x', "line 3: this is not YAML"),
        ('    - sentences: ["note {text}', "line 3: this is not YAML"),
        ("    - note {text}", "line 3: an entry has `sentences`"),
        ("    - sentences: note {text}", "line 3: an entry has `sentences`"),
        ("    - sentences: [5]", "line 3: an entry has `sentences`"),
        ('    - sentences: ["note {text}"]\n      arg: {text: x}', "line 3: an entry has `sentences`"),
        ('    - sentences: ["note {text}"]\n      args: x', "line 3: an entry has `sentences`"),
        ('    sentences: ["note {text}"]', "line 2: below a tool there must be a list"),
        ('    - sentences: ["note {text}", "{text}"]', "line 3: the sentence “{text}” has so few words"),
        ('    - sentences:\n        - "note {words}"', "line 4: the sentence “note {words}” has {words}"),
        ('    - sentences: ["note <it>"]', "line 3: the sentence “note <it>” names a part in < >"),
        ('    - sentences: ["note it"]\n  rules: {me: ["x"]}', "line 4: `rules` must consist of lines"),
        ('    - sentences: ["note <me>"]\n  rules: {me: "<me> too"}', "line 3: the sentence “note <me>” names a part"),
        ('    - sentences: ["note (it {text}"]', "line 3: the sentence “note (it {text}” can't be read"),
        (
            '    - sentences: ["note it"]\n      args: {txt: x}',
            "line 4: `args` names txt, which is no argument of diary",
        ),
        ('    - sentences: ["note it"]\n      args: {when: soon}', "line 4: `args` gives when a value that it can't"),
    ],
)
def test_complaints_name_the_line_of_what_is_wrong_in_the_sentences(
    tmp_path: Path, entries: str, complaint: str
) -> None:
    folder = new_skill("diary", tmp_path)
    (folder / "sentences.yaml").write_text(f"en:\n  diary.add:\n{entries}\n", encoding="utf-8")
    [told] = complaints(folder)
    assert told.startswith(f"sentences.yaml of diary, {complaint}")


def test_sentences_may_share_parts(tmp_path: Path) -> None:
    folder = new_skill("diary", tmp_path)
    rules = '  rules: {note: "note|jot <down>", down: "down|it down"}\n'
    text = f'en:\n{rules}  diary.add:\n    - sentences: ["<note> {{text}}"]\n'
    (folder / "sentences.yaml").write_text(text, encoding="utf-8")
    assert complaints(folder) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- diary.add\n", "line 1: only `en:` and `zh:`"),
        ("en: [x]\n", "line 1: below a language there must be tools"),
        ("fr:\n  diary.add: []\n", "line 1: only `en:` and `zh:`"),
    ],
)
def test_complaints_name_what_has_the_wrong_shape(tmp_path: Path, text: str, complaint: str) -> None:
    folder = new_skill("diary", tmp_path)
    (folder / "sentences.yaml").write_text(text, encoding="utf-8")
    [told] = complaints(folder)
    assert told.startswith(f"sentences.yaml of diary, {complaint}")


def test_values_that_the_sentence_fills_in_and_selectors_of_lookups_are_no_complaint(tmp_path: Path) -> None:
    folder = new_skill("diary", tmp_path)
    manifest = (folder / "skill.yaml").read_text(encoding="utf-8")
    lookups = "lookups:\n  text: {tool: find, by: [query], field: id}\n"
    (folder / "skill.yaml").write_text(manifest + lookups, encoding="utf-8")
    entry = '    - sentences: ["note {text}"]\n      args: {text: "so: {text}", query: x, when: 2026-05-09}\n'
    (folder / "sentences.yaml").write_text(f"en:\n  diary.add:\n{entry}", encoding="utf-8")
    assert complaints(folder) == []
    (folder / "sentences.yaml").write_text("", encoding="utf-8")
    assert complaints(folder) == []


@pytest.mark.parametrize(
    ("file", "before", "after", "complaint"),
    [
        (
            "locale/zh.yaml",
            "{day:medium}：{text}",
            "{date:medium}：{text}",
            "The text line of the skill diary has {date}, {day}",
        ),
        (
            "__init__.py",
            '"diary.added"',
            '"diary.nope"',
            "__init__.py of the skill diary, line 44: no catalogue has the text diary.nope",
        ),
        (
            "__init__.py",
            "NotFound(what=",
            'NotFound("diary.gone", what=',
            "__init__.py of the skill diary, line 53: no catalogue has the text error.diary.gone",
        ),
        ("skill.yaml", "[en, zh]", "[en, zh, fr]", "skill.yaml of diary names the language fr"),
        (
            "skill.yaml",
            "  zh: 记录“diary”的条目。\n",
            "",
            "skill.yaml of diary declares the language zh but has no description",
        ),
        ("locale/zh.yaml", 'none: "', 'none: "x" "', "locale/zh.yaml of the skill diary, line"),
        ("locale/zh.yaml", None, "- x\n", "locale/zh.yaml of the skill diary must consist of"),
        ("locale/zh.yaml", None, None, "The skill diary declares the language zh but has no locale/zh.yaml"),
    ],
)
def test_complaints_name_what_is_wrong_with_the_texts(
    tmp_path: Path, file: str, before: str | None, after: str | None, complaint: str
) -> None:
    changed = new_skill("diary", tmp_path) / file
    text = changed.read_text(encoding="utf-8")
    assert before is None or before in text
    changed.write_text(text.replace(before, after or "", 1) if before else after or "", encoding="utf-8")
    if after is None:
        changed.unlink()
    found = complaints(tmp_path / "diary")
    assert found[0].startswith(complaint), found


def test_a_skeleton_of_any_good_name_loads(tmp_path: Path) -> None:
    for name in ("ab", "a1_b2", "x" * 31):
        assert load(new_skill(name, tmp_path)).manifest.name == name

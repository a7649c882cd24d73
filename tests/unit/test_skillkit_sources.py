"""Where skills that are not bundled lie; none of their code runs while they are looked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from assistant.config import SkillSettings
from assistant.locale import Catalogue
from assistant.models import Label, Prepared
from assistant.server import endpoints
from assistant.skillkit.consent import pin
from assistant.skillkit.loader import Skills, folders_in
from assistant.skillkit.scaffold import new_skill
from assistant.skillkit.sources import find_external, folder_of, installed, look_again
from assistant.skillkit.wire import OddAnswer, clean, prepared_of, raise_problem, result_of
from tests.support.skills import Ledger, paths_of, say_yes


def distribution(site: Path, entry: str) -> None:
    info = site / "garden-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: garden\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[assistant.skills]\n{entry}\n")
    package = site / "garden"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")


def found(home: Path, **chosen: SkillSettings) -> Skills:
    skills, paths = Skills(), paths_of(home)
    say_yes(paths, [*folders_in(paths.skills), *installed(Skills())])
    find_external(skills, paths, chosen, data=home / "files", world=Ledger().world())
    return skills


def test_a_skill_of_an_installed_distribution_is_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path / "site", "tomatoes = garden.tomatoes")
    folder = new_skill("tomatoes", tmp_path / "site" / "garden")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    skills = found(tmp_path, tomatoes=SkillSettings(enabled=True))
    assert skills.problems == []
    assert skills.known["tomatoes"].folder == folder
    assert set(skills.loaded) == {"tomatoes"}
    assert not any(name == "garden" or name.startswith("garden.") for name in sys.modules)


def test_an_entry_point_without_a_skill_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path / "site", "tomatoes = garden.nothing")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert [(one.name, one.code) for one in found(tmp_path).problems] == [("tomatoes", "skillkit.no_entry")]


def test_a_module_that_is_nowhere_has_no_folder() -> None:
    assert folder_of("no_such_module_here.at.all") is None


def test_a_skill_of_the_users_folder_is_off_until_it_is_enabled(tmp_path: Path) -> None:
    new_skill("diary", paths_of(tmp_path).skills)
    assert [one.enabled for one in found(tmp_path).known.values()] == [False]
    assert found(tmp_path).loaded == {}
    assert set(found(tmp_path, diary=SkillSettings(enabled=True)).loaded) == {"diary"}


def test_the_users_skill_can_not_take_the_name_of_a_bundled_one(tmp_path: Path) -> None:
    bundled = new_skill("diary", tmp_path / "bundled")
    new_skill("diary", paths_of(tmp_path).skills)
    skills = Skills()
    skills.load_bundled(tmp_path / "bundled", {})
    find_external(
        skills, paths_of(tmp_path), {"diary": SkillSettings(enabled=True)}, data=tmp_path, world=Ledger().world()
    )
    assert [one.code for one in skills.problems] == ["skillkit.twice"]
    assert skills.loaded["diary"].folder == bundled
    assert skills.tool("diary.add").trusted


def test_settings_of_a_skill_are_checked_before_it_runs(tmp_path: Path) -> None:
    new_skill("diary", paths_of(tmp_path).skills)
    skills = found(tmp_path, diary=SkillSettings(enabled=True, settings={"limit": "many"}))
    assert [one.code for one in skills.problems] == ["skillkit.setting_int"]
    assert skills.loaded == {}


def test_any_changed_byte_or_name_changes_the_pin_and_what_python_leaves_behind_does_not(tmp_path: Path) -> None:
    folder = new_skill("diary", tmp_path)
    before = pin(folder)
    (folder / "__pycache__").mkdir(exist_ok=True)
    (folder / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert pin(folder) == before
    file, stat = folder / "__init__.py", (folder / "__init__.py").stat()
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("i", "j", 1), encoding="utf-8")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert pin(folder) != before
    file.write_text(text, encoding="utf-8")
    assert pin(folder) == before
    (folder / "more").symlink_to("/etc")
    assert pin(folder) != before
    (folder / "more").unlink()
    (folder / "README.md").rename(folder / "README")
    assert pin(folder) != before


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"text": 5},
        {"text": "x", "more": 1},
        {"text": "x", "data": float("nan")},
        {"text": "x", "undo": []},
        {"text": "x", "data": "\ud800"},
    ],
)
def test_an_answer_that_is_no_result_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(OddAnswer):
        result_of(answer)


def test_a_prepared_act_of_a_skill_never_vouches_for_its_own_values() -> None:
    claimed = {"name": "To", "value": "x\u202e@evil", "origin": {"label": "user", "source": "said"}}
    prepared = prepared_of({"title": "Send\x1b[1m", "fields": [claimed], "payload": {"to": "x"}}, "probe")
    assert isinstance(prepared, Prepared)
    assert prepared.title == "Send[1m"
    origin = prepared.fields[0].origin
    assert origin is not None
    assert (prepared.fields[0].value, origin.label, origin.source) == ("x@evil", Label.UNTRUSTED, "probe")


@pytest.mark.parametrize("answer", [None, "error", {}, {"kind": "Rejected"}, {"kind": 1, "message": "x"}])
def test_an_error_that_is_none_is_refused(answer: object) -> None:
    with pytest.raises(OddAnswer):
        raise_problem(answer, "probe")


def test_text_is_cut_and_cleaned_but_chinese_and_new_lines_stay() -> None:
    assert clean("一行\n两行\t\x07") == "一行\n两行\t"
    assert clean("x" * 30, 10) == "x" * 9 + "…"


def listed(home: Path, skills: Skills, language: str = "en") -> dict[str, dict[str, Any]]:
    """What `GET /v1/skills` says, by name."""
    app = Starlette(routes=[Route("/v1/skills", endpoints.skills)])
    app.state.services = SimpleNamespace(
        skills=skills, own_skills=paths_of(home).skills, catalogue=Catalogue(), language="en"
    )
    answer = TestClient(app).get("/v1/skills", headers={"accept-language": language})
    return {item["name"]: item for item in answer.json()["items"]}


def test_a_skill_made_after_the_start_is_listed_and_one_removed_is_not(tmp_path: Path) -> None:
    skills = found(tmp_path)
    folder = new_skill("diary", paths_of(tmp_path).skills)
    item = listed(tmp_path, skills)["diary"]
    assert (item["enabled"], item["loaded"], item["source"], item["problems"]) == (False, False, "user", [])
    assert item["folder"] == str(folder)
    assert skills.loaded == {}
    (folder / "skill.yaml").unlink()
    assert listed(tmp_path, skills) == {}


async def test_a_changed_manifest_is_shown_as_it_is_now_and_what_runs_is_what_was_loaded(tmp_path: Path) -> None:
    folder = new_skill("diary", paths_of(tmp_path).skills)
    skills = found(tmp_path, diary=SkillSettings(enabled=True))
    await skills.prepare()
    assert not listed(tmp_path, skills)["diary"]["changed"]
    manifest = (folder / "skill.yaml").read_text(encoding="utf-8")
    (folder / "skill.yaml").write_text(manifest.replace("0.1.0", "0.2.0-new"), encoding="utf-8")
    item = listed(tmp_path, skills)["diary"]
    assert (item["version"], item["changed"], item["enabled"], item["loaded"]) == ("0.2.0-new", True, True, True)
    assert skills.loaded["diary"].manifest.version == "0.1.0"
    (folder / "skill.yaml").write_text(manifest + "nonsense: 1\n", encoding="utf-8")
    assert "没有 nonsense 这个键" in listed(tmp_path, skills, "zh")["diary"]["problem"]
    await skills.aclose()


def test_a_manifest_that_could_not_be_read_at_the_start_is_taken_in_once_it_is_mended(tmp_path: Path) -> None:
    folder = new_skill("diary", paths_of(tmp_path).skills)
    manifest = (folder / "skill.yaml").read_text(encoding="utf-8")
    (folder / "skill.yaml").write_text(manifest + "nonsense: 1\n", encoding="utf-8")
    skills = found(tmp_path, diary=SkillSettings(enabled=True))
    broken = listed(tmp_path, skills)["diary"]
    assert (broken["loaded"], len(broken["problems"]), "version" in broken) == (False, 1, False)
    assert broken["problems"][0]["mend"]
    (folder / "skill.yaml").write_text(manifest, encoding="utf-8")
    for _ in range(2):
        item = listed(tmp_path, skills)["diary"]
        assert (item["enabled"], item["loaded"], item["changed"], item["problems"]) == (True, False, True, [])


def test_a_folder_whose_name_a_bundled_skill_has_does_not_take_its_place(tmp_path: Path) -> None:
    bundled = new_skill("diary", tmp_path / "bundled")
    skills = Skills()
    skills.load_bundled(tmp_path / "bundled", {})
    new_skill("diary", paths_of(tmp_path).skills)
    assert look_again(skills, paths_of(tmp_path).skills) == []
    assert skills.known["diary"].folder == bundled


def test_settings_of_a_skill_that_was_removed_are_told_with_the_mend(tmp_path: Path) -> None:
    skills = found(tmp_path)
    skills.report_unknown(["diary"], tmp_path / "config.yaml")
    [problem] = listed(tmp_path, skills)["diary"]["problems"]
    assert "config.yaml has settings for a skill called diary" in problem["message"]
    assert "assistant config edit" in problem["mend"]

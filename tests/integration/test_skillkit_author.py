"""A new skill as its author meets it: a folder, and plain pytest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from assistant.skillkit.scaffold import new_skill

GUIDE = Path(__file__).parents[2] / "docs" / "skills.md"
_FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```\n", re.DOTALL)


def run_tests(folder: Path) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_new_skills_own_tests_pass_with_plain_pytest(tmp_path: Path) -> None:
    assert "7 passed" in run_tests(new_skill("weather_diary", tmp_path))


def test_the_skill_of_the_guide_is_made_by_following_the_guide(tmp_path: Path) -> None:
    folder = new_skill("weather_diary", tmp_path)
    files = dict(_FILE.findall(GUIDE.read_text(encoding="utf-8")))
    assert len(files) == 6
    for name, text in files.items():
        assert (folder / name).exists(), "the guide names a file that the skeleton lacks"
        (folder / name).write_text(text, encoding="utf-8")
    assert "7 passed" in run_tests(folder)

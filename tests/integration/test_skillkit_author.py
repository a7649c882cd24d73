"""A new skill as its author meets it: a folder, and plain pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from assistant.skillkit.scaffold import new_skill


def test_a_new_skills_own_tests_pass_with_plain_pytest(tmp_path: Path) -> None:
    folder = new_skill("weather_diary", tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "7 passed" in ran.stdout

"""What the tree promises: data folders without code, small files, every error code with its sentence."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from assistant.locale import Catalogue
from assistant.resources import bundled

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("assistant/**/*.py"), *ROOT.glob("skills/**/*.py")])


def test_profile_holds_no_python() -> None:
    assert not list((ROOT / "profile").rglob("*.py"))  # it would shadow the standard library's module


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_says_its_purpose_and_stays_small(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(tree) or not text.strip() or "template" in file.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            assert node.end_lineno - node.lineno < 80, f"{node.name} is too long"


def test_every_error_code_in_the_program_has_a_sentence() -> None:
    catalogue = Catalogue()
    raised = re.compile(
        r"(?:Error|Failed|NotConfigured|NotFound|Conflict|Rejected|Expired|Denied|Missing|Refused|Overflow"
        r"|AskAgain|Cancelled|WorkerDied)\(\s*\"([a-z_]+\.[a-z_.]+)\""
    )
    missing = set()
    for file in ROOT.glob("assistant/**/*.py"):
        for code in raised.findall(file.read_text(encoding="utf-8")):
            if not catalogue.has(f"error.{code}"):
                missing.add((file.name, code))
    assert not missing


def test_every_skill_is_bilingual() -> None:
    for folder in bundled("skills").iterdir():
        if (folder / "skill.yaml").exists():
            assert (folder / "locale" / "en.yaml").exists(), folder.name
            assert (folder / "locale" / "zh.yaml").exists(), folder.name

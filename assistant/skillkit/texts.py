"""A skill's `locale/*.yaml`: whether both languages say the same things, and whether the code's keys are there."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator, Mapping
from pathlib import Path

from assistant import errors
from assistant.locale.catalogue import LANGUAGES, Catalogue, flatten
from assistant.skillkit.manifest import Manifest
from assistant.skillkit.marked import parse
from assistant.skillkit.problems import Fault

_CODE = "skillkit.locale"
_PLURAL = re.compile(r"\.(?:zero|one|two|few|many|other)$")
_ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
"""What a skill raises with a key below `error`."""


def read_texts(folder: Path) -> dict[str, dict[str, str]]:
    """The texts of the skill in `folder` by language and key. Raises Fault where a file can't be used."""
    found: dict[str, dict[str, str]] = {}
    for language in LANGUAGES:
        file = folder / "locale" / f"{language}.yaml"
        if file.is_file():
            found[language] = _read(file)
    return found


def _read(file: Path) -> dict[str, str]:
    shown = f"locale/{file.name}"
    try:
        tree = parse(file.read_text(encoding="utf-8"), f"{_CODE}.not_yaml")
    except UnicodeDecodeError as error:
        raise Fault(f"{_CODE}.not_yaml", file=shown, line=1, problem=str(error)[:200]) from error
    except Fault as fault:
        raise Fault(fault.code, file=shown, **fault.data) from fault
    if not isinstance(tree, Mapping | None):
        raise Fault(f"{_CODE}.not_texts", file=shown)
    return flatten(tree or {})


def text_faults(folder: Path, manifest: Manifest) -> list[Fault]:
    """What is wrong with the skill's texts."""
    try:
        texts = read_texts(folder)
    except Fault as fault:
        return [fault]
    return [*_languages(manifest, texts), *_differences(texts), *_unknown_keys(folder, manifest.name)]


def _languages(manifest: Manifest, texts: Mapping[str, Mapping[str, str]]) -> Iterator[Fault]:
    for language in manifest.languages:
        if language not in LANGUAGES:
            yield Fault(f"{_CODE}.unknown_language", language=language, known=list(LANGUAGES))
            continue
        if texts and language not in texts:
            yield Fault(f"{_CODE}.no_file", language=language)
        if not manifest.description.get(language):
            yield Fault(f"{_CODE}.no_description", language=language)


def _differences(texts: Mapping[str, Mapping[str, str]]) -> Iterator[Fault]:
    """Keys that one language lacks, and placeholders that one language alone fills in."""
    every = sorted(set().union(*texts.values()))
    for language, known in texts.items():
        forms = {_PLURAL.sub("", key) for key in known}
        for key in dict.fromkeys(_PLURAL.sub("", key) for key in every):
            if key not in forms:
                yield Fault(f"{_CODE}.missing", file=f"locale/{language}.yaml", key=key)
    if len(texts) == len(LANGUAGES):
        first, second = LANGUAGES
        for key in every:
            pair = texts[first].get(key), texts[second].get(key)
            fields = [_fields(one) for one in pair if one is not None]
            if len(fields) == len(pair) and fields[0] != fields[1]:
                only = sorted(fields[0] ^ fields[1])
                yield Fault(f"{_CODE}.placeholders", key=key, fields=[f"{{{name}}}" for name in only])


def _fields(text: str) -> set[str]:
    """The placeholders; `count` may be told by the plural form alone."""
    try:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name} - {"count"}
    except ValueError:  # a brace that is none
        return {text}


def _unknown_keys(folder: Path, skill: str) -> Iterator[Fault]:
    """Keys that the code names as they stand and that no catalogue has."""
    catalogue = Catalogue()
    catalogue.add(skill, folder / "locale")
    for file in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            key = _key(node)
            if key and not catalogue.has(key):
                yield Fault(f"{_CODE}.unknown_key", file=file.name, line=getattr(node, "lineno", 1), key=key)


def _key(node: ast.AST) -> str:
    """The catalogue key of `ctx.text("…")` and of `AskAgain("…")` and its like; empty for everything else."""
    if not isinstance(node, ast.Call) or not node.args:
        return ""
    first, function = node.args[0], node.func
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return ""
    if isinstance(function, ast.Attribute) and function.attr == "text":
        return first.value if isinstance(function.value, ast.Name) and function.value.id == "ctx" else ""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return f"error.{first.value}" if name in _ERRORS - {"Uncertain"} else ""

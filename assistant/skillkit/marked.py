"""YAML with the lines on which things stand, to tell an author where a mistake is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from assistant.skillkit.problems import Fault


def parse(text: str, code: str) -> Any:
    """The text's tree, for `line_of`. Raises Fault(code, line, problem) where it is not YAML."""
    try:
        return YAML().load(text)
    except MarkedYAMLError as error:
        unclosed = error.context_mark and "stream" in (error.problem or "")  # then it began where the context is
        mark = error.context_mark if unclosed else error.problem_mark or error.context_mark
        raise Fault(code, line=mark.line + 1 if mark else 1, problem=_short(error.problem or error)) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise Fault(code, line=1, problem=_short(error)) from error


def line_of(tree: Any, *path: str | int) -> int:
    """The line, counted from 1, of the last part of `path` that is there."""
    line = 1
    for part in path:
        if isinstance(tree, CommentedMap) and part in tree:
            line = tree.lc.key(part)[0] + 1
        elif isinstance(tree, CommentedSeq) and isinstance(part, int) and part < len(tree):
            line = tree.lc.item(part)[0] + 1
        elif part == 0:  # one thing that stands where a list of such things may
            continue
        else:
            break
        tree = tree[part]
    return line


def _short(problem: object) -> str:
    return " ".join(str(problem).split())[:200]


def dotted(path: Sequence[str | int]) -> str:
    """`tools.add.effect`."""
    return ".".join(map(str, path))

"""The process that opens files nobody vouches for: it may use little memory, little time and write no file.

One JSON object a line: requests `{"path", "kind"}` come in; for each, its passages go out and then `{"end": problem}`.
"""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import sys
from contextlib import suppress
from typing import IO

from .blocks import Passage, passages
from .formats import read
from .plain import Unreadable

MEMORY = 1 << 30
CPU_S = 30
SIZE_LIMIT = 64 << 20
PASSAGE_LIMIT = 4_000


def main() -> None:
    """Answer until the input ends."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)  # what a library prints belongs to no answer
    os.dup2(quiet, 2)
    _confine()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        _more_time()
        problem = _answer(request["path"], request["kind"], output)
        _write(output, {"end": problem})


def _answer(path: str, kind: str, output: IO[str]) -> str:
    """Write the passages; why they are not (all) there, or ""."""
    count = 0
    try:
        for passage in passages(read(kind, _content(path))):
            if count == PASSAGE_LIMIT:
                return "cut"
            _write(output, _form(passage))
            count += 1
    except Unreadable as error:
        return str(error)
    except MemoryError:
        return "large"
    except OSError as error:
        return "gone" if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO) else "denied"
    except Exception:  # a parser met a file that is none: whatever it raises says no more than that
        return "broken"
    return "" if count else "empty"


def _content(path: str) -> io.BytesIO:
    """The bytes of a regular file; a link that took its place meanwhile is not followed."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable("gone")
        if found.st_size > SIZE_LIMIT:
            raise Unreadable("large")
        return io.BytesIO(file.read(SIZE_LIMIT))


def _form(passage: Passage) -> dict[str, object]:
    return {
        "place_kind": passage.place_kind,
        "place": passage.place,
        "heading": passage.heading,
        "lines": passage.lines,
    }


def _write(output: IO[str], data: dict[str, object]) -> None:
    output.write(json.dumps(data, ensure_ascii=True) + "\n")
    output.flush()


def _confine() -> None:
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.nice(10)


def _more_time() -> None:
    """The next file may use `CPU_S` seconds of processor time; then the system ends this process."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_S, hard))

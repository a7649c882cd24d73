"""What a failure means to the shell: the sentence, the mend, the exit code. Errors become words here alone."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import typer

from assistant.errors import AssistantError
from assistant.locale.catalogue import Catalogue
from assistant.models import Language


class ExitCode(IntEnum):
    """Documented in `docs/cli.md`; scripts rely on them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    WAITING = 3
    """Something waits for a yes."""
    ABSENT = 4
    """That part of the program is not there yet."""
    UNREACHABLE = 5
    """The daemon can't be reached or started."""
    INTERRUPTED = 130


class UsageProblem(AssistantError, ValueError):
    """The command line makes no sense as it stands."""

    default_code = "cli.usage"


class Absent(AssistantError, NotImplementedError):
    """A part of the program that is not there yet. Data: command."""

    default_code = "cli.absent"


class Unfit(AssistantError):
    """The command can't be done on this machine or in this state."""

    default_code = "cli.unfit"


@dataclass(frozen=True)
class Explained:
    """A failure in words."""

    code: str
    message: str
    mend: str
    exit: ExitCode

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {"error": {"code": self.code, "message": self.message, "mend": self.mend}}


_OS_PROBLEMS = {
    errno.ENOENT: "cli.no_file",
    errno.EACCES: "cli.denied",
    errno.EPERM: "cli.denied",
    errno.EROFS: "cli.denied",
    errno.ENOSPC: "cli.disk_full",
    errno.EDQUOT: "cli.disk_full",
    errno.EISDIR: "cli.is_folder",
    errno.ENOTDIR: "cli.not_folder",
}


def explain(error: Exception, catalogue: Catalogue, language: Language) -> Explained:
    """The words for any exception; one that nobody foresaw becomes `internal`."""
    if isinstance(error, AssistantError):
        return _explain_ours(error, catalogue, language)
    if isinstance(error, typer.TyperException):
        error = _usage(error)
        return _explain_ours(error, catalogue, language)
    if isinstance(error, OSError):
        code = _OS_PROBLEMS.get(error.errno or 0, "cli.os")
        problem = error.strerror or str(error)
        return _explain_ours(AssistantError(code, file=str(error.filename or ""), problem=problem), catalogue, language)
    return _explain_ours(AssistantError("internal"), catalogue, language)


def foreseen(error: Exception) -> bool:
    """Whether the words say all there is to say; otherwise the traceback belongs into the log."""
    return isinstance(error, AssistantError | typer.TyperException | OSError)


def _explain_ours(error: AssistantError, catalogue: Catalogue, language: Language) -> Explained:
    from assistant.client import ConnectionLost, NoAnswer, NotRunning, RemoteProblem, StartFailed

    if isinstance(error, RemoteProblem):
        return Explained(error.code, error.message, error.mend, ExitCode.FAILED)
    message, mend = catalogue.explain(error, language)
    code = ExitCode.FAILED
    if isinstance(error, UsageProblem):
        code = ExitCode.USAGE
    elif isinstance(error, Absent):
        code = ExitCode.ABSENT
    elif isinstance(error, ConnectionLost | NoAnswer | NotRunning | StartFailed):
        code = ExitCode.UNREACHABLE
    return Explained(error.code, message, mend, code)


def _usage(error: typer.TyperException) -> UsageProblem:
    """Typer's own usage errors in our words; its exception classes are told apart by name, they are not public."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "assistant"
    parameter = getattr(error, "param", None)
    name = parameter.opts[0] if parameter and parameter.opts[0].startswith("-") else _argument(parameter)
    match type(error).__name__:
        case "NoSuchOption":
            return UsageProblem("cli.no_option", option=getattr(error, "option_name", ""), command=command)
        case "MissingParameter":
            return UsageProblem("cli.missing_argument", argument=name, command=command)
        case "BadParameter":
            return UsageProblem("cli.bad_value", argument=name, problem=error.message, command=command)
        case "BadOptionUsage":
            return UsageProblem("cli.bad_option", option=getattr(error, "option_name", ""), command=command)
        case _:
            return UsageProblem("cli.usage", problem=error.message.rstrip("."), command=command)


def _argument(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper()) if parameter else "?"

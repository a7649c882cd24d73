"""What can go wrong, as one tree. Knows no sentences: those are in `assistant/locale/*.yaml` under `error.<code>`.

* AssistantError
  x ConfigError          a setting is unknown, ill-typed or contradictory
  x EngineError          the language model can't serve
    + ModelMissing       no model is installed, or its file is gone
    + ModelRefused       a download or a file failed its check
    + WorkerDied         the worker process ended in the middle of a request
    + ContextOverflow    the prompt is longer than the model's context
    + Cancelled          the person (or a surface) stopped the answer
  x AskAgain             a tool needs something more from the person
  x SkillFailed          a tool tried and could not
    + NotConfigured      an account or a setting is missing
    + AccountError       the other side refused the login or can't be reached
    + NotFound           nothing there by that name
    + Conflict           it changed meanwhile, or there are two
    + Rejected           the other side, or common sense, said no
  x PolicyDenied         the policy forbids it
  x ApprovalExpired      the yes came too late, was used already, or was for something else
  x SpeechError
  x AutomationError
* Uncertain              no failure yet: it can't be known whether an outward act happened
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class AssistantError(Exception):
    """Any failure that a person may see.

    `code` is a catalogue key below `error.`, e.g. `config.unknown_key`; `data` fills the sentence's placeholders.
    A surface shows `locale.explain(error, language)`, which gives the sentence and the mend; `str(error)` is for logs.
    """

    default_code = "internal"

    def __init__(self, code: str | None = None, /, **data: Any) -> None:
        self.code = code or self.default_code
        self.data = data
        details = ", ".join(f"{key}={value!r}" for key, value in data.items())
        super().__init__(f"{self.code}({details})")


class ConfigError(AssistantError, ValueError):
    """A setting is unknown, ill-typed or contradictory. Data: file, line, key, problem."""

    default_code = "config.invalid"


class EngineError(AssistantError):
    """The language model can't serve this request."""

    default_code = "engine.failed"


class ModelMissing(EngineError, LookupError):
    """No model is installed, or the chosen one's file is gone. Data: model."""

    default_code = "engine.model_missing"


class ModelRefused(EngineError, ValueError):
    """A model's file or download failed its check. Data: model, problem."""

    default_code = "engine.model_refused"


class WorkerDied(EngineError):
    """The worker process ended in the middle of a request. Data: reason."""

    default_code = "engine.worker_died"


class ContextOverflow(EngineError, ValueError):
    """The prompt is longer than the model's context. Data: tokens, limit."""

    default_code = "engine.context_overflow"


class Cancelled(EngineError):
    """The request was stopped on purpose."""

    default_code = "engine.cancelled"


class AskAgain(AssistantError):
    """A tool needs something more from the person: the turn becomes a question.

    `missing` names the arguments that are asked for; `choices` are offered as they stand.
    """

    default_code = "ask.missing"

    def __init__(
        self, code: str | None = None, /, *, missing: Sequence[str] = (), choices: Sequence[str] = (), **data: Any
    ) -> None:
        super().__init__(code, missing=", ".join(missing), choices=", ".join(choices), **data)
        self.missing = tuple(missing)
        self.choices = tuple(choices)


class SkillFailed(AssistantError):
    """A tool tried and could not; the person is told, nothing is retried blindly."""

    default_code = "skill.failed"


class NotConfigured(SkillFailed):
    """An account or a setting is missing."""

    default_code = "skill.not_configured"


class AccountError(SkillFailed):
    """The other side refused the login or can't be reached."""

    default_code = "skill.account"


class NotFound(SkillFailed, LookupError):
    """Nothing there by that name."""

    default_code = "skill.not_found"


class Conflict(SkillFailed):
    """It changed meanwhile, or there are two of them."""

    default_code = "skill.conflict"


class Rejected(SkillFailed):
    """The other side, or common sense, said no."""

    default_code = "skill.rejected"


class PolicyDenied(AssistantError):
    """The policy forbids it. Data: tool, reason."""

    default_code = "policy.denied"


class ApprovalExpired(AssistantError):
    """The yes came too late, was used already, or was given to something else."""

    default_code = "approval.expired"


class SpeechError(AssistantError):
    """Sound could not be heard or made."""

    default_code = "speech.failed"


class AutomationError(AssistantError):
    """An automation or a schedule could not be run."""

    default_code = "automation.failed"


class Uncertain(Exception):
    """It can't be known whether an operation happened. The text (already in a person's language) says why."""

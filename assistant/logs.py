"""Logs: one JSON object a line, rotated, their owner's alone. Never the words of a mail or a turn, never a secret."""

from __future__ import annotations

import json
import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from assistant.concealed import redact
from assistant.config import LoggingSettings

_MOST_BYTES = 2_000_000
_QUIET = ("httpx", "httpcore", "apscheduler", "uvicorn.access", "huggingface_hub", "asyncio", "mcp", "keyring")


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message and, where there is one, the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        entry = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps({name: redact(text) for name, text in entry.items()}, ensure_ascii=False)


class PlainFormatter(logging.Formatter):
    """A line for people, and the traceback; without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return redact(super().format(record))


def set_up(folder: Path, settings: LoggingSettings, *, to_terminal: bool) -> Path:
    """Send all logging to `folder/assistant.log` (and, in the foreground, warnings to the terminal)."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / "assistant.log"
    rotating = RotatingFileHandler(
        file, maxBytes=_MOST_BYTES, backupCount=settings.keep, encoding="utf-8", errors="replace"
    )
    rotating.setFormatter(JsonFormatter())
    file.chmod(0o600)
    handlers: list[logging.Handler] = [rotating]
    if to_terminal:
        terminal = logging.StreamHandler()
        terminal.setLevel(logging.WARNING)
        terminal.setFormatter(PlainFormatter("%(levelname)s %(name)s: %(message)s"))
        handlers.append(terminal)
    logging.raiseExceptions = False  # a log that can't be written (a full disk) is no reason to do or say anything else
    logging.basicConfig(level=settings.level.upper(), handlers=handlers, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return file

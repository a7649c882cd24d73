"""`assistant models`: the language models on this computer. Works on the model folder itself; the daemon need not run."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""

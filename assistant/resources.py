"""What ships with the program: `skills/`, `profile/` and `config.yaml`, the same from a checkout and from a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def bundled(name: str) -> Path:
    """The path of `skills`, `profile` or `config.yaml`.

    A wheel carries them under `assistant/_bundled`; in a checkout they lie beside the package.
    """
    installed = _PACKAGE / "_bundled" / name
    return installed if installed.exists() else _PACKAGE.parent / name

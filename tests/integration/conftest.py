"""What integration tests share: the small model, from the folder that ASSISTANT_MODELS names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SMALL_MODEL = "smollm2-135m-instruct"


@pytest.fixture(scope="session")
def small_model() -> Path:
    """The 135M model's file. Tests that need it are skipped, loudly, where it is not there."""
    folder = os.environ.get("ASSISTANT_MODELS", "")
    file = Path(folder) / f"{SMALL_MODEL}.gguf"
    if not folder or not file.is_file():
        pytest.skip(f"NO MODEL: set ASSISTANT_MODELS to a folder with {SMALL_MODEL}.gguf (`assistant models pull`)")
    return file

"""What integration tests share: the small model, from the folder that ASSISTANT_MODELS names, and real servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio import open_process as open_process

from bench.faults.forked import forking
from tests.support.servers.fixtures import mail_servers as mail_servers
from tests.support.servers.fixtures import oidc as oidc
from tests.support.servers.fixtures import oidc_port as oidc_port
from tests.support.servers.fixtures import radicale as radicale
from tests.support.servers.fixtures import xandikos as xandikos

# anyio imports its processes when they are first used; pytest then rewrites them deep inside a test, where CPython 3.11
# fails with "AST constructor recursion depth mismatch". So they are imported here.

SMALL_MODEL = "smollm2-135m-instruct"


@pytest.fixture(scope="session")
def small_model() -> Path:
    """The 135M model's file. Tests that need it are skipped, loudly, where it is not there."""
    folder = os.environ.get("ASSISTANT_MODELS", "")
    file = Path(folder) / f"{SMALL_MODEL}.gguf"
    if not folder or not file.is_file():
        pytest.skip(f"NO MODEL: set ASSISTANT_MODELS to a folder with {SMALL_MODEL}.gguf (`assistant models pull`)")
    return file


@pytest.fixture(scope="module")
def many_daemons() -> Iterator[None]:
    """For files that start a daemon again and again: each is forked from a process that has all modules loaded."""
    with forking():
        yield

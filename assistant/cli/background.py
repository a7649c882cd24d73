"""The daemon's process as `launch` starts it: `daemon run` without the command line, whose import slows every start."""

from __future__ import annotations

import gc

gc.disable()  # until all is loaded (`serve` turns it on): a fifth of the time of a cold start

import asyncio  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from typing import TYPE_CHECKING  # noqa: E402

from assistant import paths as folders  # noqa: E402
from assistant.entrance import serve  # noqa: E402

if TYPE_CHECKING:
    from assistant.config import Loaded


def _settings(paths: folders.Paths) -> Loaded:
    from assistant.config import load

    return load(paths.config_file)


def main() -> None:
    """Serve until SIGTERM. What prevents it is one sentence on standard error, where `launch` looks for it."""
    os.umask(0o077)
    try:
        paths = folders.find()
        asyncio.run(serve(paths, lambda: _settings(paths), foreground=False))
    except Exception as error:
        from assistant.cli.exits import explain, foreseen
        from assistant.cli.shell import choose_language
        from assistant.locale import Catalogue

        if not foreseen(error):
            raise
        told = explain(error, Catalogue(), choose_language("", os.environ))
        sys.exit(f"{told.message} {told.mend}".strip())


if __name__ == "__main__":
    main()

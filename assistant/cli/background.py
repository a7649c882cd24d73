"""The daemon's process as `launch` starts it: `daemon run` without the command line, whose import slows every start."""

from __future__ import annotations

import gc

gc.disable()  # until all is loaded (`serve` turns it on): a fifth of the time of a cold start

import asyncio  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402

from assistant import paths as folders  # noqa: E402
from assistant.config import load  # noqa: E402
from assistant.entrance import serve  # noqa: E402


def main() -> None:
    """Serve until SIGTERM. What prevents it is one sentence on standard error, where `launch` looks for it."""
    os.umask(0o077)
    try:
        paths = folders.find()
        loaded = load(paths.config_file)
        paths.make()
        asyncio.run(serve(paths, loaded, foreground=False))
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

"""Says which system servers the tests would use and this machine lacks: a line for each.

With REQUIRE_SERVERS=1 (as `.ci/run` sets it) a missing one is a failure. `--packages` prints the Debian packages.
"""

from __future__ import annotations

import os
import shutil
import sys

SERVERS: dict[str, str] = {"bwrap": "bubblewrap", "dbus-daemon": "dbus"}
"""The program that a test starts, and the Debian package that has it."""


def main() -> int:
    """Exit status: 1 where a server is required and missing."""
    if "--packages" in sys.argv[1:]:
        print(" ".join(sorted(set(SERVERS.values()))))
        return 0
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/sbin"])
    missing = [program for program in SERVERS if shutil.which(program, path=search) is None]
    for program in missing:
        print(f"not on this machine: {program} (Debian package {SERVERS[program]}); its tests are skipped")
    return 1 if missing and os.environ.get("REQUIRE_SERVERS") == "1" else 0


if __name__ == "__main__":
    sys.exit(main())

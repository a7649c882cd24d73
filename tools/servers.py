"""Says which system servers the tests would use and this machine lacks: a line for each.

With REQUIRE_SERVERS=1 (as `.ci/run` sets it) a missing one is a failure. `--packages` prints the Debian packages of
those that are missing. What the tests start with node is fetched by npm into their own folder (`make setup`).
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

SERVERS: dict[str, str] = {
    "bwrap": "bubblewrap",
    "dbus-daemon": "dbus",
    "dovecot": "dovecot-core",
    "/usr/lib/dovecot/imap": "dovecot-imapd",
    "/usr/lib/dovecot/lmtp": "dovecot-lmtpd",
    "/usr/lib/dovecot/submission": "dovecot-submissiond",
    "postfix": "postfix",
    "node": "nodejs",
    "npm": "npm",
}
"""The program that a test starts (by name, or where its package puts it), and the Debian package that has it."""
_SEARCH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/sbin"])


def missing() -> dict[str, str]:
    """Those that are not on this machine."""
    return {program: package for program, package in SERVERS.items() if not _there(program)}


def _there(program: str) -> bool:
    return Path(program).exists() if "/" in program else shutil.which(program, path=_SEARCH) is not None


def main() -> int:
    """Exit status: 1 where a server is required and missing."""
    lacking = missing()
    if "--packages" in sys.argv[1:]:
        print(" ".join(sorted(set(lacking.values()))))
        return 0
    for program, package in lacking.items():
        print(f"not on this machine: {Path(program).name} (Debian package {package}); its tests are skipped")
    return 1 if lacking and os.environ.get("REQUIRE_SERVERS") == "1" else 0


if __name__ == "__main__":
    sys.exit(main())

"""A Postfix of the tests' own: takes mail on a free port of 127.0.0.1 and hands it to Dovecot by LMTP.

Nothing leaves the machine: mail for another domain than pda.test is refused (550 5.1.2). Postfix runs as root only;
for everybody else `Relay` does the one thing that Dovecot's submission needs.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from tests.support.servers.process import HERE, LOCAL, Kept, free_ports, greets, program

DOMAIN = "pda.test"
REFUSED = f"refused@{DOMAIN}"
"""An address of the domain that is refused while others of the same mail are taken."""
_MASTERS = (Path("/usr/share/postfix/master.cf.dist"), Path("/etc/postfix/master.cf.proto"))
_CONFIG = """\
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = {local}
inet_protocols = ipv4
myhostname = mx.{domain}
mydestination =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = static:ok
virtual_transport = lmtp:inet:{local}:{lmtp}
default_transport = error:5.1.2 a machine of tests: nothing is delivered outside
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{ {refused} = 550 5.1.1 no such mailbox }} }},
    permit_mynetworks, reject
smtputf8_enable = yes
message_size_limit = 26214400
maillog_file = {base}/postfix.log
maillog_file_prefixes = {base}
alias_maps =
alias_database =
smtpd_peername_lookup = no
disable_dns_lookups = yes
queue_run_delay = 5s
minimal_backoff_time = 5s
"""


def may_run() -> bool:
    """Whether this process is root with other users to become: not so in a user namespace with one user."""
    try:
        users = sum(int(line.split()[2]) for line in Path("/proc/self/uid_map").read_text().splitlines())
    except (OSError, ValueError, IndexError):
        users = 2**32
    return os.geteuid() == 0 and users > 1000


class Relay:
    """Instead of Postfix where this process isn't root."""

    def __init__(self, base: Path) -> None:
        self._base = base
        (self.smtp,) = free_ports(1)
        self._kept: Kept | None = None

    def start(self, lmtp: int) -> None:
        """Start; what it takes goes to the LMTP server at that port."""
        command = [sys.executable, str(HERE / "relay.py"), str(self.smtp), str(lmtp), DOMAIN, REFUSED]
        self._kept = Kept(self._base, self._base / "relay.out", command)
        self._kept.until(lambda: greets(self.smtp, b"220"), "the relay")

    def stop(self) -> None:
        """Stop; it has no queue."""
        if self._kept is not None:
            self._kept.stop()
            self._kept = None


class Postfix:
    """One server, on `base`."""

    def __init__(self, base: Path) -> None:
        self._program = program("postfix", "postfix")
        self._base = base
        (self.smtp,) = free_ports(1)
        self.log = base / "postfix.log"
        self._kept: Kept | None = None
        for name in ("queue", "data", "conf"):
            (base / name).mkdir(exist_ok=True)
        shutil.chown(base / "data", "postfix")

    def start(self, lmtp: int) -> None:
        """Start; what it takes goes to the LMTP server at that port."""
        conf = self._base / "conf"
        for one in ("postfix-files", "postfix-files.d", "dynamicmaps.cf", "dynamicmaps.cf.d"):
            source = Path("/etc/postfix") / one
            if source.is_dir():
                shutil.copytree(source, conf / one, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy(source, conf / one)
        services = next(file for file in _MASTERS if file.exists()).read_text(encoding="utf-8")
        services = re.sub(r"(?m)^smtp +inet.*smtpd$", f"{LOCAL}:{self.smtp} inet n - n - - smtpd", services)
        services = re.sub(r"(?m)^([a-z].*(?:unix|fifo|inet) +\S+ +\S+ +)y( )", r"\1n\2", services)  # no chroot
        (conf / "master.cf").write_text(services, encoding="utf-8")
        settings = _CONFIG.format(base=self._base, local=LOCAL, domain=DOMAIN, lmtp=lmtp, refused=REFUSED)
        (conf / "main.cf").write_text(settings, encoding="utf-8")
        self._kept = Kept(self._base, self._base / "postfix.out", [self._program, "-c", str(conf), "start"])
        self._kept.until(lambda: greets(self.smtp, b"220"), "Postfix")

    def stop(self) -> None:
        """Stop; its queue stays."""
        if self._kept is not None:
            self._kept.stop()
            self._kept = None

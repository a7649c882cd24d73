"""A Dovecot of the tests' own: IMAP (TLS and STARTTLS), LMTP and submission on free ports of 127.0.0.1.

Dovecot 2.3. As root the mail is handled by an unprivileged user; without root all of it runs as whoever runs the tests.
Each user may have a server with fewer capabilities: the list is a setting that Dovecot takes from the user's record.
"""

from __future__ import annotations

import grp
import os
import pwd
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.support.servers.certificates import Certificates, Kind
from tests.support.servers.process import LOCAL, Kept, children_of, free_ports, greets, listens, program

ROLES = ("Drafts", "Sent", "Trash", "Junk", "Archive")
ALL = (
    "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES THREAD=REFS "
    "THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED "
    "I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH LIST-STATUS BINARY MOVE "
    "SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY SPECIAL-USE"
).split()
"""What this Dovecot says after the login."""
UNPRIVILEGED = ("mail", "nobody")

_CONFIG = """\
protocols = imap lmtp submission
listen = {local}
base_dir = {base}/run
state_dir = {base}/run
log_path = {base}/dovecot.log
info_log_path = {base}/dovecot.log
first_valid_uid = {uid}
first_valid_gid = {gid}
mail_location = maildir:~/Maildir
mail_fsync = never
maildir_stat_dirs = yes
ssl = yes
ssl_cert = <{base}/tls/current.pem
ssl_key = <{base}/tls/current.key
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = {refuse_plain}
auth_mechanisms = plain login{bearer}
auth_failure_delay = 1 secs
auth_cache_size = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {base}/users/%u
  mechanisms = plain login
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {base}/users/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
{roles}}}
service imap-login {{
  process_min_avail = 1
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service submission-login {{
  inet_listener submission {{
    port = {submission}
  }}
  inet_listener submissions {{
    port = {submissions}
    ssl = yes
  }}
}}
service anvil {{
  # Else every wrong password of one test makes the logins of the next ones slower, up to 15 s.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap {{
  executable = imap imap-postlogin
}}
service imap-postlogin {{
  executable = script-login {base}/fewer.sh
  user = $default_internal_user
  unix_listener imap-postlogin {{
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = {local}
    port = {lmtp}
  }}
}}
submission_relay_host = {local}
submission_relay_port = {relay}
submission_relay_trusted = yes
submission_max_mail_size = 26214400
hostname = pda.test
protocol imap {{
  mail_max_userip_connections = {connections}
}}
protocol lmtp {{
  postmaster_address = postmaster@pda.test
}}
"""
_OWN_USER = """\
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
}}
service submission-login {{
  chroot =
}}
service stats {{
  chroot =
}}
"""
_BEARER = """\
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {base}/oauth2.conf
}}
"""
_FEWER = """\
#!/bin/sh
# What the server of this user shall not say it can (Dovecot's post-login scripts: any setting may come from here).
if [ -f "{base}/fewer/$USER" ]; then
    IMAP_CAPABILITY=$(cat "{base}/fewer/$USER")
    USERDB_KEYS="$USERDB_KEYS imap_capability"
    export IMAP_CAPABILITY USERDB_KEYS
fi
exec "$@"
"""
_INTROSPECTION = """\
introspection_mode = post
introspection_url = {url}
force_introspection = yes
username_attribute = username
active_attribute = active
active_value = true
"""


def shown(port: int) -> bytes:
    """The certificate that a server shows, unchecked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((LOCAL, port), 2) as door, context.wrap_socket(door) as secure:
            return secure.getpeercert(binary_form=True) or b""
    except OSError:
        return b""


def worker() -> tuple[int, int]:
    """The user and group under which mail is handled."""
    if os.geteuid():
        return os.geteuid(), os.getegid()
    for name in UNPRIVILEGED:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return found.pw_uid, found.pw_gid
    raise RuntimeError(f"none of the users {UNPRIVILEGED} exists here")


class Dovecot:
    """One server, on `base`. `introspection` is the URL that says whose an access token is (RFC 7662)."""

    def __init__(
        self,
        base: Path,
        certificates: Certificates,
        relay: int,
        *,
        introspection: str = "",
        connections: int = 50,
        refuse_plain: bool = True,
    ) -> None:
        self._program = program("dovecot", "dovecot-core dovecot-imapd dovecot-lmtpd dovecot-submissiond")
        self._admin = program("doveadm", "dovecot-core")
        self._base, self._certificates = base, certificates
        self._introspection, self._connections, self._refuse_plain = introspection, connections, refuse_plain
        self.relay = relay
        self.imap, self.imaps, self.submission, self.submissions, self.lmtp = free_ports(5)
        self.log = base / "dovecot.log"
        self._kept: Kept | None = None
        (base / "homes").mkdir()
        (base / "fewer").mkdir()
        if os.geteuid() == 0:
            os.chown(base / "homes", *worker())
        (base / "users").mkdir()
        self.present("right")
        self._configure()

    def start(self) -> None:
        """Start, and wait until mail programs are answered."""
        self._kept = Kept(self._base, self.log, [self._program, "-F", "-c", str(self._base / "dovecot.conf")])
        self._kept.until(self._ready, "Dovecot")

    def stop(self) -> None:
        """Stop; connections are cut."""
        if self._kept is not None:
            self._kept.stop()
            self._kept = None

    def present(self, kind: Kind) -> None:
        """Take another certificate; new connections see it."""
        for suffix, file in (("pem", self._certificates.chain(kind)), ("key", self._certificates.key(kind))):
            link = self._base / "tls" / f"current.{suffix}"
            link.unlink(missing_ok=True)
            link.symlink_to(file)
        if self._kept is not None:
            for pid in children_of(self._kept.pid):
                os.kill(pid, signal.SIGHUP)
            wanted = ssl.PEM_cert_to_DER_cert(self._certificates.chain(kind).read_text(encoding="ascii"))
            self._kept.until(lambda: shown(self.imaps) == wanted == shown(self.submissions), "the other certificate")

    def admin(self, *words: str) -> str:
        """One command of doveadm; its output."""
        command = [self._admin, "-c", str(self._base / "dovecot.conf"), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    def record(self, address: str, password: str, without: Iterable[str] = ()) -> Path:
        """Write a user down, and make the home; gives the Maildir."""
        uid, gid = worker()
        home = self._base / "homes" / address
        left = [one for one in ALL if one not in set(without)]
        if len(left) < len(ALL):
            (self._base / "fewer" / address).write_text(" ".join(left), encoding="ascii")
        # A file for each: Dovecot looks at a file that it knows once a second, and a test wants its user now.
        line = f"{address}:{{PLAIN}}{password}:{uid}:{gid}::{home}::\n"
        (self._base / "users" / address).write_text(line, encoding="utf-8")
        return home / "Maildir"

    def _ready(self) -> bool:
        if not (greets(self.imap, b"* OK") and greets(self.submission, b"220")):
            return False
        return listens(self.imaps) and listens(self.lmtp)

    def _configure(self) -> None:
        uid, gid = worker()
        roles = "".join(
            f"  mailbox {role} {{\n    auto = subscribe\n    special_use = \\{role}\n  }}\n" for role in ROLES
        )
        written = _CONFIG.format(
            local=LOCAL,
            base=self._base,
            uid=uid,
            gid=gid,
            roles=roles,
            refuse_plain="yes" if self._refuse_plain else "no",
            bearer=" xoauth2 oauthbearer" if self._introspection else "",
            imap=self.imap,
            imaps=self.imaps,
            submission=self.submission,
            submissions=self.submissions,
            lmtp=self.lmtp,
            relay=self.relay,
            connections=self._connections,
        )
        if self._introspection:
            written += _BEARER.format(base=self._base)
            file = self._base / "oauth2.conf"
            file.write_text(_INTROSPECTION.format(url=self._introspection), encoding="utf-8")
        if os.geteuid():
            user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
            written = _OWN_USER.format(user=user, group=group) + written  # first: other lines take these names from it
        script = self._base / "fewer.sh"
        script.write_text(_FEWER.format(base=self._base), encoding="ascii")
        script.chmod(0o755)
        (self._base / "dovecot.conf").write_text(written, encoding="utf-8")

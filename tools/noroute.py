"""Run commands where no route leads out, and count every byte that a process tries to send beyond this computer.

`python tools/noroute.py [-- COMMAND …]` (default: what `make test` runs) makes a network namespace with loopback and
one more interface that leads nowhere: the default route and the name server lie behind it. What is sent there is
counted, with the host, the name asked for and the program; nothing arrives anywhere. Exit status 1 where a byte was
sent or a command failed. Linux; needs `unshare` (util-linux) and `ip` (iproute2), and root or user namespaces.
"""

from __future__ import annotations

import argparse
import collections
import ipaddress
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "python -m pytest -q -n auto tests/unit",
    "python -m pytest -q tests/integration tests/e2e",
)
_INSIDE = "NOROUTE_INSIDE"
_OUT = "nowhere0"
_SETUP = (
    "ip link set lo up",
    f"ip link add {_OUT} type veth peer name nowhere1",
    "ip link set nowhere1 up",
    f"ip addr add 192.0.2.2/24 dev {_OUT}",
    f"ip -6 addr add 2001:db8::2/64 dev {_OUT} nodad",
    f"ip link set {_OUT} up",
    f"ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev {_OUT} nud permanent",
    f"ip neigh add 192.0.2.53 lladdr 02:00:00:00:00:01 dev {_OUT} nud permanent",
    f"ip -6 neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev {_OUT} nud permanent",
    f"ip route add default via 192.0.2.1 dev {_OUT}",
    f"ip -6 route add default via 2001:db8::1 dev {_OUT}",
)
_OPTIONAL = "ip -6"  # a kernel without IPv6 sends none
_ICMP6_OF_THE_KERNEL = {*range(130, 138), 143}  # neighbours, routers, group membership
_ALL, _OUTGOING = 3, 4  # ETH_P_ALL, PACKET_OUTGOING


class Counter:
    """Reads every packet that goes to the interface which leads nowhere."""

    def __init__(self) -> None:
        self.bytes = 0
        self.packets = 0
        self.hosts: collections.Counter[str] = collections.Counter()
        self._programs: dict[int, str] = {}
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        self._socket.bind((_OUT, _ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            raw, (_, _, direction, *_) = self._socket.recvfrom(65536)
            described = describe(raw) if direction == _OUTGOING else None
            if described is None:
                continue
            where, port = described
            self.bytes += len(raw)
            self.packets += 1
            self.hosts[f"{where} by {self._program(port)}"] += len(raw)

    def _program(self, port: int) -> str:
        """The command that owns a local port, as far as it still lives."""
        if port not in self._programs:
            self._programs[port] = owner(port)
        return self._programs[port]


def describe(raw: bytes) -> tuple[str, int] | None:
    """Where a packet wants to go, and from which port; None for what the kernel says of itself (ARP, neighbours)."""
    kind = struct.unpack_from("!H", raw, 12)[0]
    if kind == 0x0800:
        protocol, begin = raw[23], 14 + (raw[14] & 15) * 4
        target = str(ipaddress.IPv4Address(raw[30:34]))
        if protocol == 2:  # IGMP: a group was joined; what is sent to it is counted by itself
            return None
    elif kind == 0x86DD:
        protocol, begin = raw[20], 54
        target = str(ipaddress.IPv6Address(raw[38:54]))
        if protocol == 0 or (protocol == 58 and raw[begin] in _ICMP6_OF_THE_KERNEL):
            return None
    else:
        return None
    if protocol not in (6, 17):
        return f"{target} protocol {protocol}", 0
    source, port = struct.unpack_from("!HH", raw, begin)
    if protocol == 17 and port == 53:
        return f"the name {asked(raw[begin + 8 :])}", source
    return f"{target} {'tcp' if protocol == 6 else 'udp'} {port}", source


def asked(query: bytes) -> str:
    """The name that a DNS query asks for."""
    labels, at = [], 12
    while at < len(query) and 0 < query[at] < 64:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace"))
        at += 1 + query[at]
    return ".".join(labels)


def owner(port: int) -> str:
    """The command line of the process that holds a local port."""
    wanted = f":{port:04X}"
    inodes = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1].endswith(wanted):
                inodes.add(f"socket:[{fields[9]}]")
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(handle) in inodes:
                return (handle.parents[1] / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:160]
        except OSError:
            continue
    return "a program that is gone"


def outside(arguments: list[str]) -> int:
    """Go into a namespace of our own, and run this again there."""
    missing = [name for name in ("unshare", "ip") if shutil.which(name) is None]
    if sys.platform != "linux" or missing:
        print(f"noroute needs Linux with {' and '.join(missing) or 'network namespaces'}", file=sys.stderr)
        return 2
    flags = ["-n", "-m"] if os.geteuid() == 0 else ["-r", "-n", "-m"]
    command = ["unshare", *flags, sys.executable, str(Path(__file__).resolve()), *arguments]
    return subprocess.run(command, env=os.environ | {_INSIDE: "1"}, check=False).returncode


def prepare() -> None:
    """Loopback, the interface that leads nowhere, and a name server behind it."""
    for command in _SETUP:
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
        if done.returncode and not command.startswith(_OPTIONAL):
            sys.exit(f"{command}: {done.stderr.strip()}")
    with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as file:
        file.write("nameserver 192.0.2.53\noptions timeout:1 attempts:1\n")
    Path(file.name).chmod(0o644)
    if Path("/etc/resolv.conf").exists():
        subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
    Path(file.name).unlink()


def main() -> int:
    """Run, count, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if os.environ.get(_INSIDE) != "1":
        return outside(sys.argv[1:])
    prepare()
    counter = Counter()
    given = options.command[1:] if options.command[:1] == ["--"] else options.command
    commands = [given] if given else [[sys.executable, *line.split()[1:]] for line in COMMANDS]
    environment = {name: value for name, value in os.environ.items() if name != _INSIDE}
    statuses = [subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode for command in commands]
    time.sleep(0.5)
    for host, count in counter.hosts.most_common():
        print(f"{count:8d} bytes to {host}")
    figures = {"bytes": counter.bytes, "packets": counter.packets, "hosts": len(counter.hosts), "statuses": statuses}
    print(json.dumps({"noroute": figures}))
    return 1 if counter.bytes or any(statuses) else 0


if __name__ == "__main__":
    sys.exit(main())

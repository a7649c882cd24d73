"""A web server on loopback, with or without TLS, that remembers what it was asked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Site:
    """A server that runs."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    """Each request, head and body."""
    answer: str = "{asked}"
    """What it answers with; `{asked}` is the whole request."""
    head: str = "HTTP/1.1 200 OK\r\n"


@asynccontextmanager
async def site(context: ssl.SSLContext | None = None, **options: str) -> AsyncIterator[Site]:
    """Run one on a free port of 127.0.0.1."""
    found = Site(**options)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = next(
                (int(line[15:]) for line in head.lower().splitlines() if line.startswith("content-length:")), 0
            )
            body = (await reader.readexactly(length)).decode("latin-1")
            found.asked.append(head + body)
            said = found.answer.replace("{asked}", head + body).encode()
            echo = "".join(
                f"X-Echo: {line}\r\n" for line in head.splitlines() if line.lower().startswith("authorization")
            )
            writer.write(f"{found.head}{echo}Content-Length: {len(said)}\r\nConnection: close\r\n\r\n".encode() + said)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found


@dataclass(frozen=True)
class Authority:
    """A certificate that both ends know, for `localhost`."""

    file: Path

    def server(self) -> ssl.SSLContext:
        """The server's side."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        return context

    def client(self) -> ssl.SSLContext:
        """The side that checks it."""
        return ssl.create_default_context(cafile=str(self.file))


def authority(folder: Path, name: str = "localhost") -> Authority:
    """Make one that is good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / f"{name}.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return Authority(file)

"""A certificate authority of the tests' own, and what it signs for a server: right, expired, or for another name."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Kind = Literal["right", "expired", "early", "other", "unknown"]
"""early: not valid yet, as seen by a clock that is right. other: for another host. unknown: signed by nobody."""
KINDS: tuple[Kind, ...] = ("right", "expired", "early", "other", "unknown")
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Certificates:
    """Files of a folder."""

    folder: Path

    @property
    def ca_file(self) -> Path:
        """What a client has to trust."""
        return self.folder / "ca.pem"

    def chain(self, kind: Kind = "right") -> Path:
        """The server's certificate."""
        return self.folder / f"{kind}.pem"

    def key(self, kind: Kind = "right") -> Path:
        """The server's private key."""
        return self.folder / f"{kind}.key"

    def client(self) -> ssl.SSLContext:
        """A client that trusts the authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def server(self, kind: Kind = "right") -> ssl.SSLContext:
        """The server's side, for a server in Python."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain(kind), self.key(kind))
        return context


def make(folder: Path) -> Certificates:
    """Make the authority and one certificate of each kind for localhost and 127.0.0.1, good for some days."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificates(folder)
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Tests", key, "Tests", key, (now - 900 * _DAY, now + 900 * _DAY), ca=True)
    made.ca_file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    ages = {"expired": (now - 400 * _DAY, now - 30 * _DAY), "early": (now + 30 * _DAY, now + 400 * _DAY)}
    for kind in KINDS:
        own = ec.generate_private_key(ec.SECP256R1())
        signer, by = (own, "localhost") if kind == "unknown" else (key, "Tests")
        name = "mail.elsewhere.test" if kind == "other" else "localhost"
        leaf = _certificate(name, own, by, signer, ages.get(kind, (now - 400 * _DAY, now + 30 * _DAY)), ca=False)
        made.chain(kind).write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        private = own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        made.key(kind).write_bytes(private)
        made.key(kind).chmod(0o600)
    return made


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    valid: tuple[datetime, datetime],
    *,
    ca: bool,
) -> x509.Certificate:
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        names.append(x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")))
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not ca:
        built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return built.sign(signer, hashes.SHA256())

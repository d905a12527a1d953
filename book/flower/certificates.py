"""Certificates and keys for a federation on this machine, made anew each time.

``python -m book.flower certificates folder --nodes 4`` writes

    ca.pem                     whom all trust; its own key is thrown away
    server.pem, server.key     the SuperLink's, for localhost and 127.0.0.1
    node-1, node-1.pub, ...    a pair of keys for each node, of NIST's curve P-384

On real machines the server's certificate names the server's address, it comes from your
own authority, and each node makes its own pair of keys and hands out ``.pub`` alone.
"""

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM, SSH = serialization.Encoding.PEM, serialization.Encoding.OpenSSH
PRIVATE = serialization.PrivateFormat
OPEN = serialization.NoEncryption()


def make(folder, nodes: int, days: int = 30) -> Path:
    """Write all of them; the folder, and every private key, is its owner's alone."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority, server = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    root = _certificate("fairfl's authority", authority, None, authority, days)
    signed = _certificate("localhost", server, root, authority, days)
    (folder / "ca.pem").write_bytes(root.public_bytes(PEM))
    (folder / "server.pem").write_bytes(signed.public_bytes(PEM))
    _secret(folder / "server.key", server.private_bytes(PEM, PRIVATE.PKCS8, OPEN))
    for i in range(1, nodes + 1):
        node_keys(folder / f"node-{i}")
    return folder


def node_keys(path: Path) -> None:
    """A pair of keys for a node: `path` and `path`.pub."""
    key = ec.generate_private_key(ec.SECP384R1())
    _secret(path, key.private_bytes(PEM, PRIVATE.OpenSSH, OPEN))
    public = key.public_key().public_bytes(SSH, serialization.PublicFormat.OpenSSH)
    path.with_name(f"{path.name}.pub").write_bytes(public)


def _secret(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(content)


def _certificate(name, key, issuer, authority, days):
    """Of an authority where there is no issuer, else of a server on this machine."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    local = [x509.DNSName("localhost"),
             x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - hour)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not issuer, path_length=None), True)
    )
    if issuer:
        made = made.add_extension(x509.SubjectAlternativeName(local), False)
    return made.sign(authority, hashes.SHA256())

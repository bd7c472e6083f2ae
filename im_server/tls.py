"""The server's own certificate and its TLS context: TLS 1.3 (RFC 8446), self-signed, pinned by the clients.

The pin is the SHA-256 of the certificate's SubjectPublicKeyInfo (RFC 7469, section 2.4), so a renewed certificate
over the same key keeps it.
"""

from __future__ import annotations

import datetime
import hashlib
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from host.files import write_private
from im_server.data_folder import read_private
from im_server.errors import StartError

_YEARS = 50  # nobody checks the date: the pin is the identity


def ensure_certificate(folder: Path, server_name: str) -> bytes:
    """Make key.pem and cert.pem on the first start; returns the pin (32 bytes). Raises StartError."""
    key_file, certificate_file = folder / "key.pem", folder / "cert.pem"
    if not key_file.exists() and not certificate_file.exists():
        _make(key_file, certificate_file, server_name)
    read_private(key_file)
    return pin_of(certificate_file)


def pin_of(certificate_file: Path) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo (DER) of a PEM certificate. Raises StartError."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (OSError, ValueError) as error:
        raise StartError(
            f"The certificate {certificate_file} cannot be read ({error}). Restore it from a backup; a new one would "
            "be a changed key for every member."
        ) from error
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(spki).digest()


def server_context(folder: Path) -> ssl.SSLContext:
    """The context of all connections. Raises StartError when key and certificate do not fit together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # sessions are not resumed; each ticket would cost memory and a write
    try:
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"The key and certificate in {folder} do not fit together ({error}).") from error
    return context


def _make(key_file: Path, certificate_file: Path, server_name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, server_name[:64])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(key_file, pem)
    write_private(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))

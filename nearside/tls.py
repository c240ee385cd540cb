"""TLS 1.3 and nothing older; a local authority for both programs' own certificates.

Keys are ECDSA P-256: with them gRPC can be held to TLS 1.3, which neither RSA nor Ed25519 leaves allow.
"""

import ipaddress
import os
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from nearside.errors import SettingsError
from nearside.sealing import write_secret

HOST_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?")
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
CA_DAYS = 3650
SERVER_DAYS = 397
RENEW_DAYS = 30
CLOCK_SKEW = timedelta(minutes=5)


def server_context(cert: Path, key: Path) -> ssl.SSLContext:
    """For a listening port: TLS 1.3 only. A second `load_cert_chain` changes what new handshakes get."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _load_chain(context, cert, key)
    return context


def client_context(ca: Path, cert: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """For a connection of ours: TLS 1.3 only, the peer's certificate and name checked against `ca`."""
    try:
        context = ssl.create_default_context(cafile=str(ca))
    except OSError as error:
        raise SettingsError(f"no certificate authority ({_why(error)})", where=str(ca)) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if cert and key:
        _load_chain(context, cert, key)
    return context


def _load_chain(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    for file in (cert, key):
        if not os.access(file, os.R_OK):
            raise SettingsError(
                "certificate or key cannot be read", where=str(file), hint="run `init`, or correct the path"
            )
    try:
        context.load_cert_chain(cert, key)
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(
            f"certificate and key do not fit ({_why(error)})",
            where=str(cert),
            hint="they must be one PEM pair",
        ) from None


def _why(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or type(error).__name__


@dataclass(frozen=True, slots=True)
class Leaf:
    """A fresh certificate and its key, as PEM."""

    cert: bytes
    key: bytes

    def write(self, cert: Path, key: Path) -> None:
        write_secret(key, self.key)
        write_secret(cert, self.cert)
        cert.chmod(0o644)


class LocalCa:
    """An authority whose key lies beside its certificate on this machine."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate, self._key = certificate, key

    @classmethod
    def load(cls, cert: Path, key: Path) -> "LocalCa":
        try:
            loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(
                f"the authority's key cannot be read ({type(error).__name__})", where=str(key)
            ) from None
        certificate = read_certificate(cert)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey) or loaded.public_key() != certificate.public_key():
            raise SettingsError("the authority's key and certificate do not fit", where=str(key))
        return cls(certificate, loaded)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue_server(self, names: Sequence[str], *, days: int = SERVER_DAYS) -> Leaf:
        """For a listening port reachable under `names`, host names or IP addresses."""
        sans = [_general_name(name) for name in dict.fromkeys((*names, *LOCAL_NAMES))]
        return self._issue((names or LOCAL_NAMES)[0], sans, [ExtendedKeyUsageOID.SERVER_AUTH], days)

    def issue_client(self, common_name: str, uris: Sequence[str], *, days: int) -> Leaf:
        """For a peer that says who it is by `uris`."""
        sans = [x509.UniformResourceIdentifier(uri) for uri in uris]
        return self._issue(common_name, sans, [ExtendedKeyUsageOID.CLIENT_AUTH], days)

    def _issue(
        self,
        common_name: str,
        sans: Sequence[x509.GeneralName],
        usage: list[x509.ObjectIdentifier],
        days: int,
    ) -> Leaf:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(common_name, self.certificate.subject, key.public_key(), days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .add_extension(x509.SubjectAlternativeName(sans), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Leaf(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def make_local_ca(cert: Path, key: Path, *, common_name: str) -> LocalCa:
    """The authority at these two files; made (P-256, ten years, key 0600) where there is none yet."""
    if cert.exists() or key.exists():
        return LocalCa.load(cert, key)
    private = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    certificate = (
        _builder(common_name, name, private.public_key(), CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(private, hashes.SHA256())
    )
    Leaf(certificate.public_bytes(serialization.Encoding.PEM), _pem(private)).write(cert, key)
    return LocalCa(certificate, private)


def issue_server_certificate(ca: LocalCa, cert: Path, key: Path, names: Sequence[str] = ()) -> str:
    """A certificate for a local port under `names`, those it had before, and this machine's own.

    Returns what was done in words, "" where nothing was: one that is there stays while it covers the names and lasts
    a month more, and what another authority signed is left alone.
    """
    wanted = {str(_general_name(name).value) for name in (*names, *LOCAL_NAMES)}
    return _renew(ca, cert, key, wanted, lambda had: ca.issue_server(list(dict.fromkeys((*names, *had)))))


def issue_client_certificate(ca: LocalCa, cert: Path, key: Path, uri: str, *, common_name: str, days: int) -> str:
    """The same for a program's own name at another."""
    return _renew(ca, cert, key, {uri}, lambda _: ca.issue_client(common_name, [uri], days=days))


def _renew(ca: LocalCa, cert: Path, key: Path, wanted: set[str], issue: Callable[[Sequence[str]], Leaf]) -> str:
    try:
        present = _own_certificate(ca, cert, key)
    except SettingsError as error:
        return f"left {cert} and {key} as they are: {error.what}"
    had = names_of(present) if present else []
    if present and key.exists() and wanted <= {*had} and days_left(present) > RENEW_DAYS:
        return ""
    issue(had).write(cert, key)
    return f"wrote {cert}"


def _own_certificate(ca: LocalCa, cert: Path, key: Path) -> x509.Certificate | None:
    """None where there is nothing yet. Raises SettingsError where either file may be somebody else's."""
    if not cert.exists():
        if key.exists():
            raise SettingsError("a key without its certificate; remove it to have both made")
        return None
    certificate = read_certificate(cert)
    if not signed_by(certificate, ca.certificate):
        raise SettingsError("another authority signed the certificate")
    if key.exists() and not fits(cert, key):
        raise SettingsError("the key does not fit; remove it to have both made anew")
    return certificate


def read_certificate(path: Path) -> x509.Certificate:
    """The first certificate of a PEM file."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"certificate cannot be read ({error.strerror})", where=str(path)) from None
    except ValueError:
        raise SettingsError("not a PEM certificate", where=str(path)) from None


def days_left(certificate: x509.Certificate) -> float:
    return (certificate.not_valid_after_utc - datetime.now(UTC)) / timedelta(days=1)


def signed_by(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def fits(cert: Path, key: Path) -> bool:
    """Whether both can be read and are one pair."""
    try:
        _load_chain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert, key)
    except SettingsError:
        return False
    return True


def names_of(certificate: x509.Certificate) -> list[str]:
    """The host names, addresses and URIs it stands for, in its order."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    kinds = (x509.DNSName, x509.IPAddress, x509.UniformResourceIdentifier)
    return [str(name.value) for name in names if isinstance(name, kinds)]


def is_p256(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def _builder(
    common_name: str, issuer: x509.Name, public: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if not HOST_NAME.fullmatch(name):
            raise SettingsError(
                f"{name!r} is no host name or address", hint="such as chat.example.com, without https:// and port"
            ) from None
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

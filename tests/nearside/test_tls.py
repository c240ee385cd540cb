import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from nearside import tls
from nearside.errors import SettingsError
from nearside.tls import LocalCa

pytestmark = pytest.mark.unit


@pytest.fixture
def ca(tmp_path: Path) -> LocalCa:
    return tls.make_local_ca(tmp_path / "ca.crt", tmp_path / "ca.key", common_name="Test authority")


def issue(ca: LocalCa, folder: Path, *names: str) -> tuple[Path, Path]:
    cert, key = folder / "server.crt", folder / "server.key"
    tls.issue_server_certificate(ca, cert, key, names)
    return cert, key


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> str | None:
    """The version agreed on over a real socket; raises what the client saw."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as secure:
            return secure.version()
    finally:
        ours.close()
        thread.join()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "core.example"])
def test_a_server_is_trusted_under_its_names_over_tls_1_3(ca: LocalCa, tmp_path: Path, name: str) -> None:
    server = tls.server_context(*issue(ca, tmp_path, "core.example"))
    assert handshake(server, tls.client_context(tmp_path / "ca.crt"), name) == "TLSv1.3"


def test_a_server_is_not_trusted_under_another_name(ca: LocalCa, tmp_path: Path) -> None:
    server = tls.server_context(*issue(ca, tmp_path))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, tls.client_context(tmp_path / "ca.crt"), "evil.example")


def test_tls_1_2_is_refused(ca: LocalCa, tmp_path: Path) -> None:
    old = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(tls.server_context(*issue(ca, tmp_path)), old)


def test_certificates_pass_strict_verification(ca: LocalCa, tmp_path: Path) -> None:
    client = tls.client_context(tmp_path / "ca.crt")
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    assert handshake(tls.server_context(*issue(ca, tmp_path)), client) == "TLSv1.3"


def test_keys_are_p256_and_private_to_their_owner(ca: LocalCa, tmp_path: Path) -> None:
    cert, key = issue(ca, tmp_path)
    public = tls.read_certificate(cert).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1)
    assert [path.stat().st_mode & 0o777 for path in (key, tmp_path / "ca.key")] == [0o600, 0o600]


def test_an_authority_is_made_once(ca: LocalCa, tmp_path: Path) -> None:
    again = tls.make_local_ca(tmp_path / "ca.crt", tmp_path / "ca.key", common_name="Another name")
    assert again.certificate == ca.certificate


def test_half_an_authority_is_an_error_and_not_overwritten(ca: LocalCa, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(SettingsError):
        tls.make_local_ca(tmp_path / "ca.crt", tmp_path / "ca.key", common_name="Test authority")
    assert not (tmp_path / "ca.crt").exists()


def test_a_good_certificate_stays_and_a_short_lived_one_is_replaced(ca: LocalCa, tmp_path: Path) -> None:
    cert, key = issue(ca, tmp_path)
    assert tls.issue_server_certificate(ca, cert, key) == ""
    assert tls.issue_server_certificate(ca, cert, key, ["new.example"]) == f"wrote {cert}"
    ca.issue_server((), days=tls.RENEW_DAYS - 1).write(cert, key)
    assert tls.issue_server_certificate(ca, cert, key) == f"wrote {cert}"
    key.unlink()
    assert tls.issue_server_certificate(ca, cert, key) == f"wrote {cert}"
    tls.server_context(cert, key)


def test_a_renewed_certificate_keeps_the_names_it_had(ca: LocalCa, tmp_path: Path) -> None:
    cert, key = tmp_path / "server.crt", tmp_path / "server.key"
    ca.issue_server(["chat.example", "192.0.2.7"], days=tls.RENEW_DAYS - 1).write(cert, key)
    before = tls.names_of(tls.read_certificate(cert))
    assert tls.issue_server_certificate(ca, cert, key) == f"wrote {cert}"
    assert tls.names_of(tls.read_certificate(cert)) == before
    assert tls.issue_server_certificate(ca, cert, key, ["second.example"])
    assert set(tls.names_of(tls.read_certificate(cert))) == {*before, "second.example"}


@pytest.mark.parametrize("foreign", ["another authority's", "a lone key", "no PEM", "a key that does not fit"])
def test_what_the_authority_did_not_make_is_left_alone(ca: LocalCa, tmp_path: Path, foreign: str) -> None:
    cert, key = issue(ca, tmp_path)
    other = tls.make_local_ca(tmp_path / "x.crt", tmp_path / "x.key", common_name="The company")
    match foreign:
        case "another authority's":
            other.issue_server(["chat.example"]).write(cert, key)
        case "a lone key":
            cert.unlink()
        case "no PEM":
            cert.write_text("PKCS #12, perhaps")
        case _:
            other.issue_server(["chat.example"]).write(tmp_path / "unused.crt", key)
    before = [file.read_bytes() if file.exists() else b"" for file in (cert, key)]
    assert tls.issue_server_certificate(ca, cert, key, ["chat.example"]).startswith(f"left {cert}")
    assert [file.read_bytes() if file.exists() else b"" for file in (cert, key)] == before


@pytest.mark.parametrize("name", ["https://x.example", "x.example:8443", "中文.example", "", "a b"])
def test_a_name_that_is_no_host_is_an_error_of_ours(ca: LocalCa, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="no host name"):
        tls.issue_server_certificate(ca, tmp_path / "s.crt", tmp_path / "s.key", [name])


def test_a_client_says_who_it_is_and_cannot_serve(ca: LocalCa, tmp_path: Path) -> None:
    leaf = ca.issue_client("edge-one", ["urn:nearside:edge:edge-one"], days=7)
    certificate = x509.load_pem_x509_certificate(leaf.cert)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:nearside:edge:edge-one"]
    assert certificate.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=7)
    leaf.write(tmp_path / "c.crt", tmp_path / "c.key")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls.server_context(tmp_path / "c.crt", tmp_path / "c.key"), tls.client_context(tmp_path / "ca.crt"))


def test_files_that_do_not_fit_are_an_error_that_names_them(ca: LocalCa, tmp_path: Path) -> None:
    cert, key = issue(ca, tmp_path)
    with pytest.raises(SettingsError, match="none.key"):
        tls.server_context(cert, tmp_path / "none.key")
    with pytest.raises(SettingsError, match=r"do not fit.*server\.crt"):
        tls.server_context(cert, tmp_path / "ca.key")
    with pytest.raises(SettingsError, match="none.crt"):
        tls.read_certificate(tmp_path / "none.crt")
    with pytest.raises(SettingsError, match="not a PEM certificate"):
        tls.read_certificate(key)
    with pytest.raises(SettingsError, match="do not fit"):
        LocalCa.load(tmp_path / "ca.crt", key)


def test_only_its_own_certificates_are_signed_by_an_authority(ca: LocalCa, tmp_path: Path) -> None:
    other = tls.make_local_ca(tmp_path / "x.crt", tmp_path / "x.key", common_name="Test authority")
    certificate = tls.read_certificate(issue(ca, tmp_path)[0])
    assert tls.signed_by(certificate, ca.certificate)
    assert not tls.signed_by(certificate, other.certificate)

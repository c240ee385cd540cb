from pathlib import Path

import pytest
from cryptography import x509

from cloud_core.fleet.authority import Peer, issue_edge, load_ca, make_certificates, peer_of
from cloud_core.settings import CoreSettings
from nearside.errors import NearsideError, SettingsError
from nearside.ownership import running_pid, sole_owner
from nearside.tls import days_left, make_local_ca, read_certificate, signed_by

pytestmark = pytest.mark.unit


@pytest.fixture
def settings(tmp_path: Path) -> CoreSettings:
    return CoreSettings.model_validate({}, context={"base": tmp_path})


def test_an_edges_certificate_names_it_and_its_tenants(settings: CoreSettings) -> None:
    make_certificates(settings, ())
    certificate = x509.load_pem_x509_certificate(issue_edge(load_ca(settings), "edge-one", ["demo", "other"]).cert)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert peer_of(uris) == Peer("edge-one", frozenset({"demo", "other"}))
    assert 0 < days_left(certificate) <= 366


@pytest.mark.parametrize(
    ("uris", "peer"),
    [
        ([], Peer("", frozenset())),
        (["urn:nearside:core"], Peer("", frozenset())),
        (["urn:nearside:edge:a-1", "urn:nearside:edge:b-2"], Peer("", frozenset())),
        (["urn:nearside:edge:../x", "urn:nearside:tenant:*"], Peer("", frozenset())),
        (["spiffe://urn:nearside:tenant:demo"], Peer("", frozenset())),
    ],
)
def test_names_that_are_not_ours_count_for_nothing(uris: list[str], peer: Peer) -> None:
    assert peer_of(uris) == peer


@pytest.mark.parametrize("name", ["Edge", "e", "edge one", "urn:nearside:edge:x"])
def test_no_certificate_is_made_for_a_malformed_name(settings: CoreSettings, name: str) -> None:
    make_certificates(settings, ())
    with pytest.raises(SettingsError):
        issue_edge(load_ca(settings), name, ["demo"])
    with pytest.raises(SettingsError):
        issue_edge(load_ca(settings), "edge-one", [name])


def test_certificates_are_made_once_and_renewed_for_a_new_name(settings: CoreSettings) -> None:
    assert len(make_certificates(settings, ())) == 3
    ca = read_certificate(settings.grpc.ca)
    assert make_certificates(settings, ()) == []
    assert make_certificates(settings, ("core.example",)) == [f"wrote {settings.https.cert}"]
    assert read_certificate(settings.grpc.ca) == ca
    assert signed_by(read_certificate(settings.https.cert), ca)
    assert signed_by(read_certificate(settings.nats.cert), ca)


def test_a_brokers_certificate_from_elsewhere_is_left_alone(settings: CoreSettings, tmp_path: Path) -> None:
    make_certificates(settings, ())
    cluster = make_local_ca(tmp_path / "cluster.crt", tmp_path / "cluster.key", common_name="The cluster")
    cluster.issue_client("core", ["urn:cluster:core"], days=5).write(settings.nats.cert, settings.nats.key)
    before = settings.nats.key.read_bytes()
    [line] = make_certificates(settings, ())
    assert line.startswith(f"left {settings.nats.cert}")
    assert settings.nats.key.read_bytes() == before


def test_one_core_at_a_time_owns_a_data_folder(tmp_path: Path) -> None:
    with sole_owner(tmp_path, "core"):
        assert running_pid(tmp_path, "core") is not None
        with pytest.raises(NearsideError, match="another core"), sole_owner(tmp_path, "core"):
            pass
    assert running_pid(tmp_path, "core") is None
    with sole_owner(tmp_path, "core"):
        pass

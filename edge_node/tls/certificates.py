"""The certificate that customers are shown, where the company has none of its own: signed by a local authority."""

from collections.abc import Sequence
from pathlib import Path

from nearside.tls import issue_server_certificate, make_local_ca


def make_certificates(cert: Path, key: Path, names: Sequence[str]) -> list[Path]:
    """Write what is missing or runs out beside `cert`; the paths written. Browsers trust it once they trust ca.crt."""
    ca_cert, ca_key = cert.parent / "ca.crt", cert.parent / "ca.key"
    if cert.exists() and not ca_key.exists():
        return []
    fresh = [] if ca_cert.exists() else [ca_cert]
    ca = make_local_ca(ca_cert, ca_key, common_name="Nearside edge, local authority")
    return [*fresh, cert] if issue_server_certificate(ca, cert, key, names) else fresh

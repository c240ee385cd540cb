"""The certificate that customers are shown, where the company has none of its own: signed by a local authority."""

from collections.abc import Sequence
from pathlib import Path

from nearside.tls import issue_server_certificate, make_local_ca


def make_certificates(cert: Path, key: Path, names: Sequence[str]) -> list[str]:
    """Write what is missing or runs out beside `cert`; what was done, a line each. Browsers that trust ca.crt trust it.

    A certificate of the company's own is left alone.
    """
    ca_cert, ca_key = cert.parent / "ca.crt", cert.parent / "ca.key"
    if cert.exists() and not ca_key.exists():
        return [f"left {cert} and {key} as they are: there is no {ca_key} to renew them with"]
    fresh = [] if ca_cert.exists() else [f"wrote {ca_cert}"]
    ca = make_local_ca(ca_cert, ca_key, common_name="Nearside edge, local authority")
    done = issue_server_certificate(ca, cert, key, names)
    return [*fresh, done] if done else fresh

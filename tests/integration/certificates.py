"""Certificates for an hour: an authority, and what it signs, made by openssl in a test's own folder."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from agents.embedded.local import LOOPBACK
from tests.harness.server import missing


class Certificate(NamedTuple):
    """A certificate and its key, each a PEM file."""

    certificate: Path
    key: Path

    def together(self) -> Path:
        """Return one file with the key and the certificate, as Kafka wants them."""
        both = self.key.with_suffix(".both.pem")
        both.write_text(self.key.read_text() + self.certificate.read_text())
        return both


class Authority:
    """A certificate authority of its own, in ``directory``."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self._directory = directory
        self._own = self._make("ca", "-subj", f"/CN=authority {directory.name}", "-days", "1")

    @property
    def file(self) -> Path:
        """The authority's certificate, which those who trust it are given."""
        return self._own.certificate

    def sign(self, name: str, *, host: str = LOOPBACK) -> Certificate:
        """Return a certificate for ``name`` (its common name) on ``host``, an address or a DNS name."""
        kind = "IP" if host[0].isdigit() else "DNS"
        signer = ("-CA", str(self._own.certificate), "-CAkey", str(self._own.key))
        use = ("-addext", f"subjectAltName={kind}:{host}", "-addext", "basicConstraints=critical,CA:FALSE")
        return self._make(name, "-subj", f"/CN={name}", "-days", "1", *signer, *use)

    def _make(self, name: str, *arguments: str) -> Certificate:
        openssl = shutil.which("openssl")
        if openssl is None:
            missing("no openssl on the path, which makes the certificates")
        made = Certificate(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        out = ("-out", str(made.certificate), "-keyout", str(made.key))
        subprocess.run([openssl, *new, *arguments, *out], check=True, capture_output=True, timeout=30)
        return made

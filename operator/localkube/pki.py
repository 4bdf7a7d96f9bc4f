"""Who is who in a cluster: an authority of its own, and certificates for its servers and for any user.

A client certificate is how Kubernetes lets anyone be named without asking the API server first: the common name is the
user, each organisation a group (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates).
Knows nothing of what a user may do: that is RBAC.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALIDITY = dt.timedelta(days=3650)
"""A cluster on a laptop is stopped and started for as long as its folder lives."""

_CLOCK_SKEW = dt.timedelta(hours=1)
_LOOPBACK = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])

_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate and its private key, as PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs the certificates of one cluster."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, now: dt.datetime) -> Authority:
        """An authority that nobody knows yet."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("localkube-ca")  # unlike any it signs, or those would look self-signed
        builder = (
            _certificate(name, name, key.public_key(), now)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS_CERTIFICATES, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, credential: Credential) -> Authority:
        """The authority that `pem` wrote."""
        key = serialization.load_pem_private_key(credential.key, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the authority's key is not an elliptic curve key")
        return cls(x509.load_pem_x509_certificate(credential.certificate), key)

    def pem(self) -> Credential:
        """The authority itself, to keep."""
        return Credential(self.certificate.public_bytes(serialization.Encoding.PEM), private_key_pem(self.key))

    def server(self, now: dt.datetime) -> Credential:
        """A certificate for servers on 127.0.0.1."""
        return self._issue(_name("localkube"), now, ExtendedKeyUsageOID.SERVER_AUTH, _LOOPBACK)

    def client(self, user: str, groups: Sequence[str], now: dt.datetime) -> Credential:
        """A certificate that says: this is `user`, a member of `groups`."""
        return self._issue(_name(user, groups), now, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _issue(
        self, subject: x509.Name, now: dt.datetime, usage: x509.ObjectIdentifier, *further: x509.ExtensionType
    ) -> Credential:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _certificate(subject, self.certificate.subject, key.public_key(), now)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        for extension in further:
            builder = builder.add_extension(extension, critical=False)
        signed = builder.sign(self.key, hashes.SHA256())
        return Credential(signed.public_bytes(serialization.Encoding.PEM), private_key_pem(key))


def private_key_pem(key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    """A private key as unencrypted PEM, by default a new one (such as the one that signs ServiceAccount tokens)."""
    return (key or ec.generate_private_key(ec.SECP256R1())).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def load_or_create(folder: Path, now: dt.datetime) -> Authority:
    """The authority of a cluster's folder, with the files that its servers read; made once, then kept.

    Writes ca.crt, ca.key, server.crt, server.key and service-account.key.
    """
    if (folder / "ca.crt").exists():
        return Authority.load(Credential((folder / "ca.crt").read_bytes(), (folder / "ca.key").read_bytes()))
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority.create(now)
    server = authority.server(now)
    kept = authority.pem()
    _write(folder / "service-account.key", private_key_pem())
    _write(folder / "server.crt", server.certificate)
    _write(folder / "server.key", server.key)
    _write(folder / "ca.key", kept.key)
    _write(folder / "ca.crt", kept.certificate)  # last: where it is, the others are
    return authority


def _name(common_name: str, organizations: Sequence[str] = ()) -> x509.Name:
    return x509.Name(
        [
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + VALIDITY)
    )


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)

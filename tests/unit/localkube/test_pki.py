"""Certificates that name their holders as Kubernetes reads them."""

from __future__ import annotations

import datetime as dt
import stat
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from localkube import pki

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def subject(credential: pki.Credential, oid: x509.ObjectIdentifier) -> list[object]:
    certificate = x509.load_pem_x509_certificate(credential.certificate)
    return [attribute.value for attribute in certificate.subject.get_attributes_for_oid(oid)]


def test_a_client_certificate_names_the_user_and_the_groups() -> None:
    credential = pki.Authority.create(NOW).client("alice", ["team-a", "team-b"], NOW)

    assert subject(credential, NameOID.COMMON_NAME) == ["alice"]
    assert subject(credential, NameOID.ORGANIZATION_NAME) == ["team-a", "team-b"]


def test_the_authority_signs_what_it_issues_and_is_told_apart_from_it() -> None:
    authority = pki.Authority.create(NOW)

    server = x509.load_pem_x509_certificate(authority.server(NOW).certificate)

    server.verify_directly_issued_by(authority.certificate)
    assert server.subject != authority.certificate.subject


def test_a_server_certificate_is_for_loopback_only() -> None:
    server = x509.load_pem_x509_certificate(pki.Authority.create(NOW).server(NOW).certificate)

    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert [str(name) for name in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_a_certificate_is_valid_although_clocks_differ() -> None:
    certificate = x509.load_pem_x509_certificate(pki.Authority.create(NOW).client("alice", [], NOW).certificate)

    assert certificate.not_valid_before_utc < NOW - dt.timedelta(minutes=5)
    assert certificate.not_valid_after_utc > NOW + dt.timedelta(days=3000)


def test_a_folder_keeps_its_authority(tmp_path: Path) -> None:
    first = pki.load_or_create(tmp_path / "pki", NOW)
    second = pki.load_or_create(tmp_path / "pki", NOW)

    assert first.pem() == second.pem()


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    pki.load_or_create(tmp_path / "pki", NOW)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "pki").iterdir()}

    assert set(modes) == {"ca.crt", "ca.key", "server.crt", "server.key", "service-account.key"}
    assert all(mode & 0o077 == 0 for mode in modes.values())

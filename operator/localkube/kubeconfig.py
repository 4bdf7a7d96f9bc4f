"""Writes kubeconfigs: where the API server is, whom to trust, and who one is.

Everything is inside the one file, as JSON, which every reader of YAML reads
(https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/).
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from localkube.pki import Authority, Credential

_NAME = "localkube"


def write(path: Path, *, server: str, authority: Authority, user: str, credential: Credential) -> None:
    """Write a kubeconfig that only its owner may read."""
    cluster = {"server": server, "certificate-authority-data": _base64(authority.pem().certificate)}
    identity = {
        "client-certificate-data": _base64(credential.certificate),
        "client-key-data": _base64(credential.key),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": _NAME,
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": user}}],
        "clusters": [{"name": _NAME, "cluster": cluster}],
        "users": [{"name": user, "user": identity}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=2) + "\n")


def _base64(pem: bytes) -> str:
    return base64.b64encode(pem).decode()

"""Which Kubernetes, and with which flags it is built: read from go.mod, so that one file holds the pin.

Pure: knows no process, no network and no cache, only the two files beside it.
"""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from localkube.errors import LocalkubeError

MODULE = Path(__file__).parent
"""The folder of go.mod: where `go build` runs."""

PACKAGES: Mapping[str, str] = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "etcd": "go.etcd.io/etcd/server/v3",
}
"""The programs and the Go packages that they are built from."""

GoVersion = tuple[int, int, int]
"""Major, minor, patch; a pre-release has patch -1, because Go orders it before the release."""

_GO_VERSION = re.compile(r"go ?(\d+)\.(\d+)(?:\.(\d+))?(rc|beta)?")
_SYSTEMS = {"linux": "linux", "darwin": "darwin"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def kubernetes_version(go_mod: str) -> str:
    """The version of Kubernetes that a go.mod requires, such as "v1.36.3"."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise LocalkubeError("go.mod does not require k8s.io/kubernetes; reinstall this package")
    return found[1]


def parse_go_version(text: str) -> GoVersion | None:
    """The version in "go1.26.8", "go 1.26.0" or "devel go1.27-3a1b…"; None where there is none."""
    found = _GO_VERSION.search(text)
    if found is None:
        return None
    patch = -1 if found[4] else int(found[3] or 0)
    return int(found[1]), int(found[2]), patch


def required_go(go_mod: str) -> GoVersion:
    """The oldest Go that may build a go.mod: its `go` directive (https://go.dev/ref/mod#go-mod-file-go)."""
    directive = re.search(r"^go \d.*$", go_mod, re.MULTILINE)
    version = parse_go_version(directive[0]) if directive else None
    if version is None:
        raise LocalkubeError("go.mod has no go directive; reinstall this package")
    return version


def target(system: str = sys.platform, machine: str = platform.machine()) -> tuple[str, str]:
    """GOOS and GOARCH of this machine."""
    try:
        return _SYSTEMS[system], _MACHINES[machine.lower()]
    except KeyError:
        raise LocalkubeError(
            f"localkube runs on Linux and macOS, on amd64 and arm64; this is {system} on {machine}"
        ) from None


def build_flags(version: str) -> list[str]:
    """Flags of `go build`: stripped, without paths of this machine, and stamped: an unstamped kubectl reports an error.

    The names are those that Kubernetes' own build stamps (hack/lib/version.sh).
    """
    major, minor, *_ = version.removeprefix("v").split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamped = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamps.items())
    return ["-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {stamped}"]


def cache_key(go_mod: str, go_sum: str, goos: str, goarch: str) -> str:
    """The name of the folder for what is built from these sums with these flags, for one kind of machine."""
    version = kubernetes_version(go_mod)
    parts = "\0".join([go_mod, go_sum, *build_flags(version)])
    return f"kubernetes-{version}-{goos}-{goarch}-{hashlib.sha256(parts.encode()).hexdigest()[:12]}"

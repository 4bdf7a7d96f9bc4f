"""Where the programs of a cluster are: in KUBEBUILDER_ASSETS, else in the cache, built first if need be."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from localkube import build, pin
from localkube.errors import LocalkubeError
from localkube.progress import Progress, Silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """Paths of the four programs."""

    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path
    etcd: Path


def ensure_binaries(progress: Progress | None = None) -> Binaries:
    """Find the programs, building what is missing: minutes on the first call of a machine, nothing afterwards.

    `KUBEBUILDER_ASSETS` is the folder of `setup-envtest` (https://book.kubebuilder.io/reference/envtest): what it holds
    is taken; what it lacks, such as kube-controller-manager, comes from the cache.

    Raises:
        LocalkubeError: KUBEBUILDER_ASSETS is no such folder, or the build failed.
    """
    provided = _assets(os.environ.get("KUBEBUILDER_ASSETS"))
    missing = [name for name in pin.PACKAGES if name not in provided]
    paths = provided | (build.cached(missing, progress or Silent()) if missing else {})
    return Binaries(**{name.replace("-", "_"): path for name, path in paths.items()})


def _assets(value: str | None) -> dict[str, Path]:
    if not value:
        return {}
    folder = Path(value)
    if not folder.is_dir():
        raise LocalkubeError(f"KUBEBUILDER_ASSETS={value} is no folder: correct it or unset it")
    found = {name: folder.resolve() / name for name in pin.PACKAGES if os.access(folder / name, os.X_OK)}
    if not found:
        raise LocalkubeError(
            f"KUBEBUILDER_ASSETS={value} holds none of {', '.join(pin.PACKAGES)}: "
            "set it to what `setup-envtest use -p path` prints, or unset it"
        )
    return found

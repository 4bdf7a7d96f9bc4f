"""Amazon EFS on this machine: a folder for each file system, which its tasks share until localaws ends.

localaws cannot mount anything, so a process finds its volumes below its working folder, which stands for the root of
its container: what a task mounts at `/mnt/data` is `mnt/data` to the process. `readOnly` is taken, and not enforced.

assumed: that every file system and every access point that a definition names is there and can be reached
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from localaws.contract import Params
from localaws.ecs.failures import ResourceInitialization

_SETUP = "failed to invoke EFS utils commands to set up EFS volumes: stderr: "


class FileSystems:
    """All file systems that were mounted so far."""

    def __init__(self) -> None:
        self._root: Path | None = None

    def mounts(self, body: Params, container: Params, region: str) -> dict[str, str]:
        """Give the folders that a container mounts, by its own paths.

        Raises:
            ResourceInitialization: a root directory is not there.
        """
        volumes = {volume["name"]: volume.get("efsVolumeConfiguration") for volume in body["volumes"]}
        wanted = {point["containerPath"]: volumes[point["sourceVolume"]] for point in container["mountPoints"]}
        return {path: str(self._folder(efs, region)) for path, efs in wanted.items() if efs}

    def close(self) -> None:
        """Delete them all."""
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None

    def _folder(self, efs: Params, region: str) -> Path:
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix="localaws-efs-"))
        system = self._root / str(efs["fileSystemId"])
        system.mkdir(exist_ok=True)
        point = (efs.get("authorizationConfig") or {}).get("accessPointId")
        if point:
            # documented: EFS user guide, "Working with access points": one has a root of its own, which it can create
            folder = system / str(point)
            folder.mkdir(exist_ok=True)
            return folder
        asked = str(efs.get("rootDirectory", "/"))
        folder = (system / asked.lstrip("/")).resolve()
        if not folder.is_relative_to(system.resolve()) or not folder.is_dir():
            # reported: acp-io/terraform-grafana#4
            host = f"{efs['fileSystemId']}.efs.{region}.amazonaws.com"
            raise ResourceInitialization(
                f"{_SETUP}b'mount.nfs4: mounting {host}:{asked} failed, reason given by server: No such file or "
                "directory' : unsuccessful EFS utils command execution; code: 32"
            )
        return folder

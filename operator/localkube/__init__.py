"""localkube: a real Kubernetes API server for laptops and tests, without containers.

Knows Kubernetes' programs and nothing of the operator.
"""

from localkube.binaries import Binaries, ensure_binaries
from localkube.cluster import Cluster
from localkube.errors import LocalkubeError
from localkube.process import Component
from localkube.progress import Console, Progress, Silent
from localkube.state import State, down, status

__all__ = [
    "Binaries",
    "Cluster",
    "Component",
    "Console",
    "LocalkubeError",
    "Progress",
    "Silent",
    "State",
    "down",
    "ensure_binaries",
    "status",
]

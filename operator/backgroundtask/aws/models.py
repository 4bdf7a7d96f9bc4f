"""What botocore reads of its data files, without what nobody here asks for: of 12 MB that clients cost, 8.

A service's model is mostly prose, and the table of endpoints mostly of services that the operator never calls. Nothing
of either is needed to make a call, and a process keeps what its loader has read. Knows botocore's files; refuses to
know what they describe.
"""

import gzip
import json
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

_CALLED = frozenset({"ecs", "scheduler", "events", "sqs", "logs", "sts"})


def terse_loader() -> Loader:
    """Service models without their prose, and the endpoints of the services that are called."""
    return Loader(file_loader=_TerseFileLoader())


class _TerseFileLoader(JSONFileLoader):
    def load_file(self, file_path: str) -> Any:  # noqa: ANN401 - any JSON document
        document = _load(file_path)
        if Path(file_path).name == "endpoints":
            for partition in document["partitions"]:
                # A service that is not listed has the endpoint that its own rules and the partition's defaults give.
                partition["services"] = {key: one for key, one in partition["services"].items() if key in _CALLED}
        return document


def _load(file_path: str) -> Any:  # noqa: ANN401 - any JSON document
    """The document of that name; None where there is none, which is how botocore's loader looks for one."""
    plain, packed = Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")
    if plain.is_file():
        return json.loads(plain.read_bytes(), object_pairs_hook=_without_prose)
    if packed.is_file():
        return json.loads(gzip.decompress(packed.read_bytes()), object_pairs_hook=_without_prose)
    return None


def _without_prose(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """`documentation` is prose where it is text; a member of that name would be an object.

    Left out while it is read: thrown away later, it would still have been the most that the process ever held.
    """
    return {key: value for key, value in members if not (key == "documentation" and isinstance(value, str))}

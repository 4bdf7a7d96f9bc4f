"""Objects from files, as `kubectl -f` takes them: YAML or JSON, several documents, lists, or standard input.

Knows the shapes of files; what an object means is the door's business (`api.parsing`).
"""

from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

import yaml

from backgroundtask.api.names import API_VERSION, TASK_KIND
from backgroundtask.errors import Rejected

MOST_CHARACTERS: Final = 16 * 1024 * 1024


def objects(file: IO[str]) -> list[dict[str, Any]]:
    """All objects of a file, in their order; those of a List one by one.

    Raises:
        Rejected: InvalidFile, with the line; no text of the file is quoted, as it may hold a secret.
    """
    text = file.read(MOST_CHARACTERS + 1)
    if len(text) > MOST_CHARACTERS:
        raise Rejected("InvalidFile", f"{file.name} is longer than {MOST_CHARACTERS} characters: give it in parts.")
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f": look at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Rejected("InvalidFile", f"{file.name} is neither YAML nor JSON{where}.") from None
    except RecursionError:
        raise Rejected("InvalidFile", f"{file.name} is nested too deeply.") from None
    return [one for number, document in enumerate(documents, 1) for one in _flat(document, file.name, number)]


def tasks(
    file: IO[str], namespace: str | None = None, *, default: str = "default"
) -> tuple[list[dict[str, Any]], list[str]]:
    """The BackgroundTasks of a file, and what else is in it, by kind and name.

    Each is in the namespace that it says, or else in the one that was asked for, or else in the default one.

    Raises:
        Rejected: InvalidFile, or OtherNamespace where an object says another namespace than was asked for, as kubectl.
    """
    found, others = [], []
    for body in objects(file):
        if (body.get("apiVersion"), body.get("kind")) != (API_VERSION, TASK_KIND):
            metadata = body["metadata"]
            others.append(f"{body.get('kind')}/{metadata.get('name') or metadata['generateName']}")
            continue
        if not body["metadata"].get("name"):
            raise Rejected("InvalidFile", f"A BackgroundTask in {file.name} has no metadata.name: give it one.")
        found.append(_placed(body, namespace, default))
    return found, others


def _flat(document: object, name: str, number: int) -> Iterator[dict[str, Any]]:
    if document is None:  # an empty document, as templates leave them
        return
    if isinstance(document, Mapping) and str(document.get("kind", "")).endswith("List") and "items" in document:
        for item in document["items"] or ():
            yield from _flat(item, name, number)
        return
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    is_named = isinstance(metadata, Mapping) and (metadata.get("name") or metadata.get("generateName"))
    if not isinstance(document, Mapping) or not is_named:
        raise Rejected("InvalidFile", f"Document {number} of {name} is no Kubernetes object with a metadata.name.")
    yield dict(document)


def _placed(body: dict[str, Any], namespace: str | None, default: str) -> dict[str, Any]:
    metadata = body["metadata"]
    own = metadata.get("namespace")
    if own and namespace and own != namespace:
        raise Rejected(
            "OtherNamespace",
            f"{metadata['name']} says namespace {own}, and -n says {namespace}: leave one of them out.",
        )
    return {**body, "metadata": {**metadata, "namespace": own or namespace or default}}

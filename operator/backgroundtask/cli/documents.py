"""Objects from files, as `kubectl -f` takes them: YAML or JSON, several documents, lists, folders, or standard input.

Knows the shapes of files; what an object means is the door's business (`api.parsing`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
import yaml

from backgroundtask.api.names import API_VERSION, TASK_KIND
from backgroundtask.api.parsing import parse_task
from backgroundtask.api.task import BackgroundTask
from backgroundtask.errors import Rejected

MOST_CHARACTERS: Final = 16 * 1024 * 1024

_STDIN: Final = "-"
_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
"""What kubectl reads of a folder, and nothing of the folders in it unless it is told to."""
_TEXT: Final = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
_NUMBERS: Final = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def files_option(*, required: bool, help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # noqa: A002 - click's word
    """Give a command `-f`, as often as it is wanted; its argument `files` are the paths."""
    return click.option(
        "-f",
        "--filename",
        "files",
        multiple=True,
        required=required,
        type=click.Path(exists=True, readable=True, allow_dash=True),
        help=f"{help}; a file, a folder, or - for stdin; repeatable.",
    )


def tasks(
    files: Iterable[str], namespace: str | None = None, *, default: str = "default"
) -> tuple[list[dict[str, Any]], list[str]]:
    """The BackgroundTasks of files and folders, in their order, and what else is in them, by kind and name.

    Each is in the namespace that it says, or else in the one that was asked for, or else in the default one.

    Raises:
        Rejected: InvalidFile, with the line; no text of the file is quoted, as it may hold a secret. OtherNamespace
            where an object says another namespace than was asked for, as kubectl.
    """
    found, others = [], []
    for file in (one for path in files for one in _files(path)):
        for body in _objects(file):
            if (body.get("apiVersion"), body.get("kind")) != (API_VERSION, TASK_KIND):
                metadata = body["metadata"]
                others.append(f"{body.get('kind')}/{metadata.get('name') or metadata['generateName']}")
                continue
            if not body["metadata"].get("name"):
                raise Rejected("InvalidFile", f"A BackgroundTask in {named(file)} has no metadata.name: give it one.")
            found.append(_placed(body, namespace, default))
    return found, others


def read(body: Mapping[str, Any]) -> BackgroundTask:
    """The task that a file asks for.

    Raises:
        Rejected: what no API server takes; UnknownField for members that it has no field for, as kubectl refuses them.
    """
    task = parse_task(body)
    known = task.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    unknown = sorted(_beyond(body["spec"], known, "spec"))
    if unknown:
        raise Rejected(
            "UnknownField", f"{', '.join(unknown)}: a BackgroundTask has no such field. Correct or remove it."
        )
    return task


def named(file: str) -> str:
    """What a message calls a file."""
    return "standard input" if file == _STDIN else file


class _Twice(yaml.MarkedYAMLError):
    """A mapping has a key twice."""


class _Loader(yaml.SafeLoader):
    """YAML as kubectl reads it: moments and times of day are text, and no mapping has a key twice."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:  # noqa: ANN401 - PyYAML's own signature
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise _Twice(problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else "")
        return node

    def construct_text(self, node: yaml.ScalarNode) -> object:
        """What is written there."""
        return self.construct_scalar(node)

    def construct_number(self, node: yaml.ScalarNode) -> object:
        """A number, but for those to the base of 60 that only YAML 1.1 knows, such as 12:30."""
        if ":" in node.value:
            return self.construct_text(node)
        is_whole = node.tag == _NUMBERS[0]
        return self.construct_yaml_int(node) if is_whole else self.construct_yaml_float(node)


for _tag in _TEXT:
    _Loader.add_constructor(_tag, _Loader.construct_text)
for _tag in _NUMBERS:
    _Loader.add_constructor(_tag, _Loader.construct_number)


def _files(path: str) -> list[str]:
    """The files that a path stands for: itself, or those in the folder."""
    if path == _STDIN or not Path(path).is_dir():
        return [path]
    found = sorted(str(one) for one in Path(path).iterdir() if one.suffix in _SUFFIXES and one.is_file())
    if not found:
        raise Rejected("InvalidFile", f"There is no file in {path} that ends in {', '.join(sorted(_SUFFIXES))}.")
    return found


def _objects(file: str) -> list[dict[str, Any]]:
    """All objects of a file, in their order; those of a List one by one."""
    text, name = _text(file), named(file)
    if len(text) > MOST_CHARACTERS:
        raise Rejected("InvalidFile", f"{name} is longer than {MOST_CHARACTERS} characters: give it in parts.")
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f": look at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        what = "has a key twice" if isinstance(error, _Twice) else "is neither YAML nor JSON"
        raise Rejected("InvalidFile", f"{name} {what}{where}.") from None
    except RecursionError:
        raise Rejected("InvalidFile", f"{name} is nested too deeply.") from None
    return [one for number, document in enumerate(documents, 1) for one in _flat(document, name, number)]


def _text(file: str) -> str:
    """What is in a file, up to a character more than is read."""
    try:
        with click.open_file(file, encoding="utf-8") as opened:
            text: str = opened.read(MOST_CHARACTERS + 1)
            return text
    except UnicodeDecodeError:
        raise Rejected("InvalidFile", f"{named(file)} is no text in UTF-8.") from None
    except OSError as error:
        raise Rejected("InvalidFile", f"{file} cannot be read: {error.strerror}.") from error


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


def _beyond(given: object, known: object, path: str) -> Iterator[str]:
    """The paths of what was given and is not known."""
    if isinstance(given, Mapping) and isinstance(known, Mapping):
        yield from (f"{path}.{key}" for key in given.keys() - known.keys())
        for key in given.keys() & known.keys():
            yield from _beyond(given[key], known[key], f"{path}.{key}")
    if isinstance(given, list) and isinstance(known, list):
        for index, (one, other) in enumerate(zip(given, known, strict=False)):
            yield from _beyond(one, other, f"{path}[{index}]")


def _placed(body: dict[str, Any], namespace: str | None, default: str) -> dict[str, Any]:
    metadata = body["metadata"]
    own = metadata.get("namespace")
    if own and namespace and own != namespace:
        raise Rejected(
            "OtherNamespace",
            f"{metadata['name']} says namespace {own}, and -n says {namespace}: leave one of them out.",
        )
    return {**body, "metadata": {**metadata, "namespace": own or namespace or default}}

"""The CRDs: committed as generated, complete, bounded, and made only when asked for."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from backgroundtask.api.crds import crd_documents, crd_files
from backgroundtask.cli.crd import crd

ROOT = Path(__file__).parents[3]
COMMITTED = ROOT / "crds"
KIB = 1024

Json = dict[str, Any]


def version(document: Json) -> Json:
    (only,) = document["spec"]["versions"]
    assert isinstance(only, dict)
    return only


def root(document: Json) -> Json:
    schema: Json = version(document)["schema"]["openAPIV3Schema"]
    return schema


def nodes(schema: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Yield each schema below (and with) this one, with its path."""
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from nodes(member, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


documents = pytest.mark.parametrize("document", crd_documents(), ids=lambda document: document["spec"]["names"]["kind"])


def test_the_committed_crds_are_what_the_models_say() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in COMMITTED.glob("*.yaml")}

    assert committed == dict(crd_files()), "run: bgt crd --output-dir crds"


def test_generating_twice_gives_the_same_text() -> None:
    assert crd_files() == crd_files()


@documents
def test_client_side_apply_can_note_the_crd_in_its_annotation(document: Json) -> None:
    assert len(yaml.safe_dump(document)) < 256 * KIB


@documents
def test_every_field_is_described(document: Json) -> None:
    bare = [
        path for path, schema in nodes(root(document)) if path and "[]" not in path[-2:] and "description" not in schema
    ]

    assert bare == [".metadata"]


@documents
def test_every_list_map_and_text_is_bounded(document: Json) -> None:
    bounds = {"string": {"maxLength", "enum"}, "array": {"maxItems"}}
    ours = [(path, s) for path, s in nodes(root(document)) if path.startswith((".spec", ".status"))]

    unbounded = [path for path, s in ours if s["type"] in bounds and not bounds[s["type"]] & s.keys()]
    unbounded += [path for path, s in ours if "additionalProperties" in s and "maxProperties" not in s]

    assert not unbounded


@documents
def test_every_list_says_how_server_side_apply_merges_it(document: Json) -> None:
    lists = [schema for _, schema in nodes(root(document)) if schema["type"] == "array"]

    assert all("x-kubernetes-list-type" in schema for schema in lists)


@documents
def test_nothing_may_be_null(document: Json) -> None:
    assert not any("nullable" in schema for _, schema in nodes(root(document)))


@documents
def test_messages_of_rules_are_static_and_short_enough_for_the_api_server(document: Json) -> None:
    rules = [rule for _, schema in nodes(root(document)) for rule in schema.get("x-kubernetes-validations", ())]

    assert rules
    assert all(rule.keys() <= {"rule", "message", "fieldPath"} for rule in rules)
    assert all(0 < len(rule["message"]) <= 2048 and "\n" not in rule["message"] for rule in rules)


@documents
def test_a_status_is_there_from_the_start_and_says_that_nobody_has_looked(document: Json) -> None:
    assert root(document)["properties"]["status"]["default"] == {"observedGeneration": -1}
    assert version(document)["subresources"] == {"status": {}}


@documents
def test_conditions_merge_by_type(document: Json) -> None:
    conditions = root(document)["properties"]["status"]["properties"]["conditions"]

    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


@documents
def test_columns_with_a_time_to_come_are_no_dates(document: Json) -> None:
    columns = {column["jsonPath"]: column["type"] for column in version(document)["additionalPrinterColumns"]}

    assert columns.get(".status.nextScheduleTime", "string") == "string"
    assert columns[".metadata.creationTimestamp"] == "date"


@documents
def test_columns_and_selectable_fields_show_what_exists(document: Json) -> None:
    known = {path for path, _ in nodes(root(document))}
    columns = [column["jsonPath"] for column in version(document)["additionalPrinterColumns"]]
    selectable = [entry["jsonPath"] for entry in version(document)["selectableFields"]]

    shown = [path.split("[")[0] for path in columns if not path.startswith(".metadata.")]

    assert set(shown) | set(selectable) <= known
    assert len(selectable) <= 8


def test_each_kind_has_its_short_name() -> None:
    names = {d["spec"]["names"]["kind"]: d["spec"]["names"] for d in crd_documents()}

    assert {kind: n["shortNames"] for kind, n in names.items()} == {
        "BackgroundTask": ["bgt"],
        "BackgroundTaskRun": ["bgtr"],
        "LaunchTemplate": ["bglt"],
        "ImageRepository": ["bgir"],
    }
    assert all(n["categories"] == ["bgtasks"] for n in names.values())


def test_variables_merge_by_name_and_arguments_do_not_merge() -> None:
    spec = root(crd_documents()[0])["properties"]["spec"]["properties"]

    assert (spec["env"]["x-kubernetes-list-type"], spec["env"]["x-kubernetes-list-map-keys"]) == ("map", ["name"])
    assert spec["command"]["x-kubernetes-list-type"] == "atomic"
    assert spec["entryPoint"]["x-kubernetes-list-type"] == "atomic"


@pytest.mark.timeout(20)
def test_importing_the_package_generates_no_schema() -> None:
    program = (
        "from pydantic.json_schema import GenerateJsonSchema\n"
        "def refuse(*_, **__): raise SystemExit('generated a schema')\n"
        "GenerateJsonSchema.generate = refuse\n"
        "import backgroundtask.api.crds, backgroundtask.cli.crd, backgroundtask.api.parsing\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "operator", capture_output=True, text=True, check=False, timeout=15
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_prints_all_documents() -> None:
    result = CliRunner().invoke(crd)

    assert list(yaml.safe_load_all(result.stdout)) == crd_documents()


def test_the_command_writes_one_file_a_kind(tmp_path: Path) -> None:
    result = CliRunner().invoke(crd, ["--output-dir", str(tmp_path / "new")])

    assert result.exit_code == 0
    assert {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "new").iterdir()} == dict(crd_files())


def test_the_command_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    result = CliRunner().invoke(crd, ["--output-dir", str(tmp_path / "file" / "below")])

    assert result.exit_code == 1
    assert "cannot write to" in result.stderr

"""The CRDs on a real API server: accepted, explained, judged alike, merged, shown."""

import json
import time
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from backgroundtask.api.crds import KINDS, crd_documents, crd_files
from backgroundtask.api.names import GROUP, VERSION
from fixtures.admission import completed
from fixtures.api_cases import ACCEPTED, CHANGES_ACCEPTED, CHANGES_REFUSED, REFUSED, Case, Json, run, task, template
from localkube import Cluster, LocalkubeError

SECONDS = 30.0
PLURALS = {kind.name: kind.plural for kind in KINDS}


@pytest.fixture(scope="module")
def crds(kube: Cluster) -> Cluster:
    """The cluster with the CRDs installed; a warning of the API server fails the test."""
    kube.kubectl("apply", "--server-side", "--warnings-as-errors", "-f", "-", stdin="".join(crd_files().values()))
    names = [f"crd/{plural}.{GROUP}" for plural in PLURALS.values()]
    kube.kubectl("wait", "--for=condition=Established", f"--timeout={SECONDS:.0f}s", *names)
    return kube


@pytest.fixture(scope="module")
def api(crds: Cluster) -> Iterator[client.CustomObjectsApi]:
    with config.new_client_from_config(str(crds.kubeconfig)) as connection:
        yield client.CustomObjectsApi(connection)


class Place:
    """Objects of one test: namespaced ones in its namespace, templates under its name."""

    def __init__(self, api: client.CustomObjectsApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._templates: list[str] = []

    def create(self, obj: Json, *, dry_run: bool = False) -> Json:
        placed, settings = self._placed(obj), {"dry_run": "All"} if dry_run else {}
        plural = PLURALS[obj["kind"]]
        if "namespace" in placed["metadata"]:
            created: Json = self._api.create_namespaced_custom_object(
                GROUP, VERSION, self._namespace, plural, placed, **settings
            )
            return created
        created = self._api.create_cluster_custom_object(GROUP, VERSION, plural, placed, **settings)
        if not dry_run:
            self._templates.append(created["metadata"]["name"])
        return created

    def replace(self, old: Json, new: Json) -> Json:
        placed = {**self._placed(new), "metadata": old["metadata"]}
        name, plural = old["metadata"]["name"], PLURALS[new["kind"]]
        if "namespace" in old["metadata"]:
            return dict(
                self._api.replace_namespaced_custom_object(GROUP, VERSION, self._namespace, plural, name, placed)
            )
        return dict(self._api.replace_cluster_custom_object(GROUP, VERSION, plural, name, placed))

    def clean(self) -> None:
        for name in self._templates:
            self._api.delete_cluster_custom_object(GROUP, VERSION, PLURALS["LaunchTemplate"], name)

    def _placed(self, obj: Json) -> Json:
        if "namespace" in obj["metadata"]:
            return {**obj, "metadata": {**obj["metadata"], "namespace": self._namespace}}
        own = obj["metadata"]["name"] == template()["metadata"]["name"]
        return {**obj, "metadata": {"name": f"of-{self._namespace}"}} if own else obj


@pytest.fixture
def place(api: client.CustomObjectsApi, namespace: str) -> Iterator[Place]:
    there = Place(api, namespace)
    yield there
    there.clean()


def message_of(refusal: ApiException) -> str:
    return str(json.loads(refusal.body)["message"])


def eventually(kube: Cluster, *arguments: str) -> str:
    """Return what kubectl prints once it succeeds: the API server publishes its schemas with a delay."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return kube.kubectl(*arguments)
        except LocalkubeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_every_crd_is_established_and_its_names_are_accepted(crds: Cluster) -> None:
    for kind in KINDS:
        found = json.loads(crds.kubectl("get", "crd", f"{kind.plural}.{GROUP}", "-o", "json"))
        conditions = {c["type"]: c["status"] for c in found["status"]["conditions"]}

        assert conditions["Established"] == "True"
        assert conditions["NamesAccepted"] == "True"
        assert "NonStructuralSchema" not in conditions


def test_the_api_server_keeps_the_schema_as_it_was_written(crds: Cluster) -> None:
    for document in crd_documents():
        found = json.loads(crds.kubectl("get", "crd", document["metadata"]["name"], "-o", "json"))

        assert found["spec"]["versions"] == document["spec"]["versions"]


def test_the_api_server_accepts(place: Place) -> None:
    for case in ACCEPTED:
        created = place.create(case.obj, dry_run=True)

        assert created["spec"] == completed(case.obj)["spec"], case.why


def test_the_api_server_refuses_and_says_what_to_change(place: Place) -> None:
    def verdict(case: Case) -> str:
        with pytest.raises(ApiException) as refused:
            place.create(case.obj, dry_run=True)
        return f"{refused.value.status}: {message_of(refused.value)}"

    silent = [(case.why, said) for case in REFUSED if case.refused not in (said := verdict(case))]

    assert not silent


@pytest.mark.parametrize(("why", "old", "new", "refused"), CHANGES_REFUSED)
def test_what_is_immutable_does_not_change(place: Place, why: str, old: Json, new: Json, refused: str) -> None:
    stored = place.create(old)

    with pytest.raises(ApiException) as caught:
        place.replace(stored, new)

    assert caught.value.status == 422, why
    assert refused in message_of(caught.value)


@pytest.mark.parametrize(("why", "old", "new"), CHANGES_ACCEPTED)
def test_what_is_mutable_changes(place: Place, why: str, old: Json, new: Json) -> None:
    stored = place.create(old)

    replaced = place.replace(stored, new)

    assert replaced["spec"] == completed(new)["spec"], why


@pytest.mark.parametrize("obj", [task(), run(), template()], ids=lambda obj: obj["kind"])
def test_a_new_object_has_a_status_that_nobody_has_looked_at_it(place: Place, obj: Json) -> None:
    created = place.create(obj)

    assert created["status"] == {"observedGeneration": -1}
    assert created["metadata"]["generation"] == 1


def undescribed(schema: Json, path: str) -> Iterator[str]:
    for name, member in schema.get("properties", {}).items():
        inner = f"{path}.{name}"
        if not member.get("description") and name != "metadata":
            yield inner
        if name != "metadata":
            yield from undescribed(member, inner)
    if "items" in schema:
        yield from undescribed(schema["items"], f"{path}[]")


def test_kubectl_explain_answers_for_every_field(crds: Cluster) -> None:
    for kind in KINDS:
        assert "observedGeneration" in eventually(crds, "explain", kind.short, "--recursive")

    published = json.loads(crds.kubectl("get", "--raw", f"/openapi/v3/apis/{GROUP}/{VERSION}"))["components"]["schemas"]
    for kind in KINDS:
        schema = published[f"dev.bgtask.{VERSION}.{kind.name}"]

        assert list(undescribed(schema, kind.name)) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("bgt.spec.env.valueFrom.secretsManager", "ARN of a Secrets Manager secret"),
        ("bgt.status.lastRun.exitCode", "Exit code of the container"),
        ("bgtr.status.attempts.stopCode", "ECS's stopCode"),
        ("bglt.spec.network.subnets", "Subnets of one VPC"),
    ],
)
def test_kubectl_explain_tells_what_a_field_means(crds: Cluster, path: str, words: str) -> None:
    assert words in eventually(crds, "explain", path)


def test_two_owners_each_keep_their_variables(crds: Cluster, namespace: str) -> None:
    def apply(manager: str, obj: Json) -> Json:
        placed = {**obj, "metadata": {"name": "nightly", "namespace": namespace}}
        arguments = ("apply", "--server-side", f"--field-manager={manager}", "-f", "-", "-o", "json")
        applied: Json = json.loads(crds.kubectl(*arguments, stdin=json.dumps(placed)))
        return applied

    of_team = task(env=[{"name": "REGION", "value": "emea"}])
    apply("team", of_team)
    apply("platform", {**of_team, "spec": {"env": [{"name": "PROXY", "value": "http://proxy"}]}})

    merged = apply("team", task(env=[{"name": "REGION", "value": "apac"}]))

    assert {(v["name"], v["value"]) for v in merged["spec"]["env"]} == {("REGION", "apac"), ("PROXY", "http://proxy")}


@pytest.fixture
def ratcheted(crds: Cluster, namespace: str) -> Iterator[Json]:
    """BackgroundTask under another group, at first without rules: what a cluster holds before a rule is tightened."""
    document = deepcopy(crd_documents()[0])
    group = f"{namespace}.example.com"
    document["metadata"]["name"] = f"{document['spec']['names']['plural']}.{group}"
    document["spec"]["group"] = group
    document["spec"]["names"] |= {"shortNames": [], "categories": []}
    yield document
    crds.kubectl("delete", "crd", document["metadata"]["name"], "--wait=false")


def without_rules(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_rules(member) for key, member in value.items() if key != "x-kubernetes-validations"}
    return [without_rules(item) for item in value] if isinstance(value, list) else value


def test_an_old_mistake_in_one_variable_does_not_block_a_new_image(
    crds: Cluster, namespace: str, ratcheted: Json
) -> None:
    name = ratcheted["metadata"]["name"]
    mistaken = task(env=[{"name": "BGT_OLD", "value": "x"}])
    obj = {
        **mistaken,
        "apiVersion": f"{ratcheted['spec']['group']}/{VERSION}",
        "metadata": {"name": "nightly", "namespace": namespace},
    }
    crds.kubectl("create", "-f", "-", stdin=json.dumps(without_rules(ratcheted)))
    crds.kubectl("wait", "--for=condition=Established", f"--timeout={SECONDS:.0f}s", f"crd/{name}")
    eventually(crds, "get", name, "-n", namespace)
    crds.kubectl("create", "-f", "-", stdin=json.dumps(obj))
    crds.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(ratcheted))
    new_mistake = json.dumps({**obj, "metadata": {"name": "other", "namespace": namespace}})
    refused_by_now(crds, new_mistake)

    patch = json.dumps({"spec": {"image": "busybox:1.38"}})
    image = crds.kubectl(
        "patch", name, "nightly", "-n", namespace, "--type=merge", "-p", patch, "-o", "jsonpath={.spec.image}"
    )

    assert image == "busybox:1.38"


def refused_by_now(kube: Cluster, obj: str) -> None:
    """Return once the API server judges by the new rules."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            kube.kubectl("create", "--dry-run=server", "-f", "-", stdin=obj)
        except LocalkubeError as refusal:
            assert "BGT_" in str(refusal)  # noqa: PT017 - the wrong refusal ends the wait
            return
        time.sleep(0.2)
    pytest.fail("the API server never took up the new rules")


def test_tasks_are_found_by_their_fields(crds: Cluster, place: Place, namespace: str) -> None:
    place.create(task(name="asleep", suspend=True))
    place.create(task(name="elsewhere", launchTemplate="batch"))
    place.create(run(name="asleep-1", task="asleep"))
    place.create(run(name="elsewhere-1", task="elsewhere"))

    def found(kind: str, selector: str) -> str:
        return crds.kubectl("get", kind, "-n", namespace, f"--field-selector={selector}", "-o", "name")

    assert found("bgt", "spec.suspend=true") == f"backgroundtask.{GROUP}/asleep\n"
    assert found("bgt", "spec.suspend=false") == f"backgroundtask.{GROUP}/elsewhere\n"
    assert found("bgt", "spec.launchTemplate=batch") == f"backgroundtask.{GROUP}/elsewhere\n"
    assert found("bgtr", "spec.task=asleep") == f"backgroundtaskrun.{GROUP}/asleep-1\n"


def test_kubectl_get_tells_how_a_task_is(crds: Cluster, place: Place, namespace: str) -> None:
    place.create(task(cron="0 3 * * 1-5", timeZone="Europe/Berlin"))
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "UpToDate",
        "message": "AWS is as the spec asks.",
        "lastTransitionTime": "2026-11-01T00:00:00Z",
    }
    status = {
        "observedGeneration": 1,
        "conditions": [ready],
        "activeRuns": 1,
        "nextScheduleTime": "2999-01-01T02:00:00Z",
        "lastRun": {"name": "nightly-1", "phase": "Succeeded", "exitCode": 0},
    }
    patch = json.dumps({"status": status})
    crds.kubectl("patch", "bgt", "nightly", "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)

    header, row = eventually(crds, "get", "bgt", "-n", namespace).splitlines()

    assert header.split() == ["NAME", "READY", "SCHEDULE", "SUSPEND", "ACTIVE", "LAST", "RUN", "RESULT", "NEXT", "AGE"]
    assert row.split()[:-1] == [
        *("nightly", "True", "0", "3", "*", "*", "1-5", "false", "1", "Succeeded"),
        "2999-01-01T02:00:00Z",
    ]


def test_all_kinds_are_found_together(crds: Cluster, place: Place, namespace: str) -> None:
    place.create(task())
    place.create(run())

    found = eventually(crds, "get", "bgtasks", "-n", namespace, "-o", "name").split()

    assert {name.split("/")[0] for name in found} >= {f"backgroundtask.{GROUP}", f"backgroundtaskrun.{GROUP}"}


def test_what_a_reconcile_writes_into_the_status_is_accepted(crds: Cluster, place: Place, namespace: str) -> None:
    place.create(run())
    status = {
        "observedGeneration": 1,
        "phase": "Failed",
        "taskVersion": 7,
        "attempts": [{"taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/bgt/0", "exitCode": 1}],
        "completionTime": "2026-11-30T03:01:00Z",
        "logs": {"group": "/bgt", "stream": "s"},
    }
    patch = json.dumps({"status": status})

    stored = json.loads(
        crds.kubectl(
            *("patch", "bgtr", run()["metadata"]["name"], "-n", namespace, "--subresource=status"),
            *("--type=merge", "-p", patch, "-o", "json"),
        )
    )

    assert stored["status"] == status
    assert stored["metadata"]["generation"] == 1

"""Each rule exists twice, in CEL and in Python: here the twins are asked the same and have to answer the same."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.api.fargate import SIZES
from backgroundtask.api.parsing import parse_repository, parse_task, parse_template
from backgroundtask.errors import Rejected
from fixtures.admission import refusals
from fixtures.api_cases import QUEUE, ROLE, SECRET, Json, env, repository, task, template

PARSERS = {"BackgroundTask": parse_task, "LaunchTemplate": parse_template, "ImageRepository": parse_repository}


def python_refuses(obj: Json) -> bool:
    try:
        PARSERS[obj["kind"]](obj)
    except Rejected:
        return True
    return False


def assert_twins_agree(obj: Json) -> None:
    sentences = refusals(obj)

    assert python_refuses(obj) == bool(sentences), sentences


def texts_like(*examples: str) -> st.SearchStrategy[str]:
    """Return texts that are near to the examples: one of them, cut, joined, or with another character in it."""
    characters = st.sampled_from([*"aZ09-_./:=@ *{}(),+#\n\té\u2028", ""])
    example = st.sampled_from(examples)
    broken = st.builds(
        lambda text, at, character: text[: at % (len(text) + 1)] + character + text[at % (len(text) + 1) :],
        example,
        st.integers(0, 200),
        characters,
    )
    return (
        example
        | broken
        | st.text(alphabet=characters.filter(bool), max_size=12)
        | st.builds(str.__add__, example, example)
    )


@pytest.mark.parametrize("cpu", [*SIZES, 300, 32768])
def test_the_twins_know_the_same_fargate_sizes(cpu: int) -> None:
    around = {
        size + step for sizes in SIZES.values() for size in (sizes[0], sizes[-1]) for step in (-1024, 0, 512, 1024)
    }

    for memory in sorted(size for size in around if size >= 512):
        assert_twins_agree(task(cpu=cpu, memory=memory))


@given(cpu=st.sampled_from([*SIZES]), steps=st.integers(1, 130))
def test_the_twins_agree_on_every_gibibyte(cpu: int, steps: int) -> None:
    assert_twins_agree(task(cpu=cpu, memory=steps * 1024))


@given(
    cron=texts_like("0 3 * * 1-5", "@daily", "@every 5m", "cron(0 6 ? * MON-FRI *)", "TZ=UTC 0 3 * * *", "rate(1 day)")
)
def test_the_twins_agree_on_cron(cron: str) -> None:
    assert_twins_agree(task(cron=cron))


@given(zone=texts_like("UTC", "Europe/Berlin", "Etc/GMT+5", "America/Port-au-Prince"))
def test_the_twins_agree_on_time_zones(zone: str) -> None:
    assert_twins_agree(task(timeZone=zone))


@given(image=texts_like("busybox:1.37", f"r.example/x@sha256:{'0' * 64}"), role=texts_like("reader", "a.b_C"))
def test_the_twins_agree_on_images_and_roles(image: str, role: str) -> None:
    assert_twins_agree(task(image=image, taskRole=role))


@given(called=texts_like("default/api", "a--b__c.d/e", "ab"))
def test_the_twins_agree_on_names_of_repositories(called: str) -> None:
    assert_twins_agree(repository(called=called))


sources = st.fixed_dictionaries(
    {},
    optional={
        "secretsManager": texts_like(SECRET, f"{SECRET}:key::"),
        "ssmParameter": texts_like("/team/db", "db", "arn:aws:ssm:eu-west-1:111122223333:parameter/team/db"),
    },
)
variables = st.fixed_dictionaries(
    {"name": texts_like("A", "BGT_TASK_UID", "spring.main")},
    optional={"value": st.sampled_from(["", "x"]), "valueFrom": sources},
)


@given(variable=variables)
def test_the_twins_agree_on_a_variable(variable: dict[str, Any]) -> None:
    assert_twins_agree(env(**variable))


@given(names=st.lists(st.sampled_from("ABC"), max_size=4))
def test_the_twins_agree_that_names_of_variables_differ(names: list[str]) -> None:
    assert_twins_agree(task(env=[{"name": name, "value": ""} for name in names]))


@given(
    tags=st.dictionaries(
        texts_like("team", "AWS:x", "bgtask.dev/x", "Größe"), texts_like("", "aws:", "x y"), max_size=3
    )
)
def test_the_twins_agree_on_tags(tags: dict[str, str]) -> None:
    assert_twins_agree(task(tags=tags))


providers = st.fixed_dictionaries(
    {"capacityProvider": st.sampled_from(["FARGATE", "FARGATE_SPOT"]), "weight": st.integers(0, 2)},
    optional={"base": st.integers(0, 2)},
)


@given(strategy=st.lists(providers, max_size=3))
def test_the_twins_agree_on_capacity_providers(strategy: list[dict[str, Any]]) -> None:
    assert_twins_agree(template(capacityProviderStrategy=strategy))


@given(
    events=texts_like(QUEUE, f"{QUEUE}.fifo"),
    ticks=texts_like(QUEUE, f"{QUEUE}-ticks"),
    roles=st.dictionaries(texts_like("reader", "a.b_C"), texts_like(ROLE), max_size=2),
    secrets=st.lists(texts_like("/{namespace}/*", SECRET), max_size=2),
)
def test_the_twins_agree_on_queues_roles_and_secrets(
    events: str, ticks: str, roles: dict[str, str], secrets: list[str]
) -> None:
    assert_twins_agree(template(queues={"events": events, "ticks": ticks}, taskRoles=roles, secrets=secrets))


@given(
    region=texts_like("eu-west-1"),
    cluster=texts_like("jobs", "arn:aws:ecs:eu-west-1:111122223333:cluster/jobs"),
    group=texts_like("bgt-prod"),
    log_group=texts_like("/bgt/logs"),
    namespaces=st.lists(texts_like("reports", "*"), max_size=3),
)
def test_the_twins_agree_on_places(
    region: str, cluster: str, group: str, log_group: str, namespaces: list[str]
) -> None:
    assert_twins_agree(
        template(region=region, cluster=cluster, scheduleGroup=group, logs={"group": log_group}, namespaces=namespaces)
    )


@given(
    subnets=st.lists(texts_like("subnet-0123456789abcdef0"), max_size=3),
    groups=st.lists(texts_like("sg-01234567"), max_size=3),
)
def test_the_twins_agree_on_networks(subnets: list[str], groups: list[str]) -> None:
    assert_twins_agree(template(network={"subnets": subnets, "securityGroups": groups}))


@given(name=texts_like("a" * 52, "a" * 53, "nightly.report").filter(bool))
def test_the_twins_agree_on_names(name: str) -> None:
    assert_twins_agree(task(name=name))

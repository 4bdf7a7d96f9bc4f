"""Which credentials the operator finds, and what it says where it finds none."""

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.login import context_namespace, login, own_namespace

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
TOKEN = "canary-token"


@pytest.fixture
def account(tmp_path: Path) -> Path:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("first\n")
    (folder / "ca.crt").write_text("CA")
    return folder


def kubeconfig(path: Path, **user: Any) -> Path:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "dev",
        "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://laptop:8080"}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_pod_logs_in_with_its_service_account(account: Path) -> None:
    found = login(environ=POD, service_account=account).credentials()

    assert (found.server, found.scheme, found.token) == ("https://10.0.0.1:443", "Bearer", "first")
    assert found.ca_path == str(account / "ca.crt")


def test_the_token_of_a_pod_is_read_again_for_each_request(account: Path) -> None:
    credentials = login(environ=POD, service_account=account)
    before = credentials.authorization()

    (account / "token").write_text("second")

    assert (before, credentials.authorization()) == ("Bearer first", "Bearer second")


@pytest.mark.parametrize("content", [None, "", " \n", "schlüssel"])
def test_a_token_that_cannot_be_read_now_is_waited_for(account: Path, content: str | None) -> None:
    credentials = login(environ=POD, service_account=account)
    (account / "token").unlink()
    if content is not None:
        (account / "token").write_text(content)

    with pytest.raises(Busy):
        credentials.authorization()


def test_a_pod_without_a_ca_is_told_so(account: Path) -> None:
    (account / "ca.crt").unlink()

    with pytest.raises(Blocked, match="incomplete"):
        login(environ=POD, service_account=account)


def test_a_kubeconfig_that_was_asked_for_wins_over_the_pod(account: Path, tmp_path: Path) -> None:
    path = str(kubeconfig(tmp_path / "config", token=TOKEN))

    by_argument = login(kubeconfig=path, environ=POD, service_account=account)
    by_environment = login(environ={**POD, "KUBECONFIG": path}, service_account=account)

    assert by_argument.credentials() == by_environment.credentials()
    assert by_argument.credentials().server == "http://laptop:8080"


def test_a_password_is_handed_on_as_basic_authorization(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", username="ann", password="secret")

    found = login(kubeconfig=str(path), environ={}).credentials()

    assert (found.scheme, found.token) == ("Basic", "YW5uOnNlY3JldA==")


def test_credentials_do_not_print_their_token(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", token=TOKEN)

    assert TOKEN not in repr(login(kubeconfig=str(path), environ={}).credentials())


def test_without_any_credentials_the_message_says_what_to_provide(tmp_path: Path) -> None:
    with pytest.raises(Blocked) as blocked:
        login(kubeconfig=str(tmp_path / "absent"), environ={})

    assert str(tmp_path / "absent") in blocked.value.message
    assert "set KUBECONFIG" in blocked.value.message


def test_an_unknown_context_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", token=TOKEN)

    with pytest.raises(Blocked, match="no context prod: it has dev"):
        login(kubeconfig=str(path), context="prod", environ={})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "just words",
        "[]",
        "users: 7",
        f"current-context: dev\ncontexts: []\nclusters: []\nusers: [{{token: {TOKEN}}}]",
        f"current-context: d\ncontexts: [{{name: d, context: {{user: {TOKEN}}}}}]\nclusters: []\nusers: []",
    ],
)
def test_a_broken_kubeconfig_is_refused_without_quoting_it(
    content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "config"
    path.write_text(content)

    with caplog.at_level(logging.DEBUG), pytest.raises(Blocked) as blocked:
        login(kubeconfig=str(path), environ={})

    assert str(path) in blocked.value.message
    assert TOKEN not in blocked.value.message + caplog.text
    assert blocked.value.__suppress_context__


@pytest.mark.parametrize(
    ("content", "expected", "why"),
    [
        ("bgtask\n", "bgtask", "the kubelet says where the pod is"),
        ("", "default", "it says nothing"),
        (None, "default", "this is no pod"),
    ],
)
def test_the_own_namespace_is_the_pods(tmp_path: Path, content: str | None, expected: str, why: str) -> None:
    if content is not None:
        (tmp_path / "namespace").write_text(content)

    assert own_namespace(tmp_path) == expected, why


def contexts(path: Path) -> str:
    """A kubeconfig whose current context has a namespace, and another that has none."""
    content = yaml.safe_load(kubeconfig(path).read_text())
    content["contexts"][0]["context"]["namespace"] = "reports"
    content["contexts"].append({"name": "bare", "context": {"cluster": "c", "user": "u"}})
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.mark.parametrize(
    ("context", "expected", "why"),
    [
        (None, "reports", "that of the current context"),
        ("dev", "reports", "that of the context that was asked for"),
        ("bare", "default", "that context names none"),
        ("prod", "default", "there is no such context: login says so"),
    ],
)
def test_a_command_works_in_the_namespace_of_the_context(
    tmp_path: Path, context: str | None, expected: str, why: str
) -> None:
    path = contexts(tmp_path / "config")

    assert context_namespace(kubeconfig=path, context=context, environ={}) == expected, why
    assert context_namespace(context=context, environ={"KUBECONFIG": path}) == expected, why


def test_in_a_pod_a_command_works_in_the_pods_namespace_unless_a_kubeconfig_was_asked_for(
    account: Path, tmp_path: Path
) -> None:
    (account / "namespace").write_text("bgtask")
    path = contexts(tmp_path / "config")

    assert context_namespace(environ=POD, service_account=account) == "bgtask"
    assert context_namespace(kubeconfig=path, environ=POD, service_account=account) == "reports"


@pytest.mark.parametrize("content", [None, "", "{", "just words", "contexts: 7"])
def test_without_a_readable_kubeconfig_the_namespace_is_the_default_one(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)

    assert context_namespace(kubeconfig=str(path), environ={}) == "default"

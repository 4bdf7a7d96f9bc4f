"""What `bgt local` remembers, hands on and refuses, without starting anything."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from backgroundtask.cli import environment, local, remembered, stack
from backgroundtask.cli.main import main
from backgroundtask.cli.remembered import KUBERNETES, Stack
from backgroundtask.errors import Blocked
from localkube.process import ProcessId

GONE = ProcessId(pid=2**22 + 1, started="never")  # beyond the largest pid of Linux


@pytest.fixture(autouse=True)
def clean_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_what_was_started_is_read_back_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    saved = Stack(folder=tmp_path).with_(env={"AWS_REGION": "eu-west-1"}, processes={"operator": GONE})

    assert remembered.load(tmp_path) == saved
    assert stat.S_IMODE((tmp_path / "bgt-local.json").stat().st_mode) == 0o600
    assert saved.as_json() == {"env": {"AWS_REGION": "eu-west-1"}, "dir": str(tmp_path), "pids": {}}


@pytest.mark.parametrize("content", ["", "[]", '{"env": {}}', '{"env": {}, "processes": {"operator": {"pid": 1}}}'])
def test_a_file_of_somebody_else_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "bgt-local.json").write_text(content)

    with pytest.raises(Blocked, match=r"bgt-local\.json cannot be read: remove it, or give another --dir"):
        remembered.load(tmp_path)


def test_down_where_nothing_runs_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    Stack(folder=tmp_path / "world").folder.mkdir()
    Stack(folder=tmp_path / "world").with_(processes={"operator": GONE})

    done = CliRunner().invoke(main, ["local", "down", "--dir", str(tmp_path / "world")])

    assert (done.exit_code, done.stderr) == (0, "Nothing was running\n")
    assert list(tmp_path.iterdir()) == []


def test_down_keeps_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")

    stack.down(tmp_path, purge=True)

    assert (tmp_path / "notes").read_text() == "mine"


def test_status_of_nothing_ends_with_3(tmp_path: Path) -> None:
    text = CliRunner().invoke(main, ["local", "status", "--dir", str(tmp_path)])
    document = CliRunner().invoke(main, ["local", "status", "--dir", str(tmp_path), "-o", "json"])

    assert (text.exit_code, text.stdout) == (3, f"{tmp_path}: nothing was started\n")
    assert (document.exit_code, json.loads(document.stdout)) == (3, {"env": {}, "dir": str(tmp_path), "pids": {}})


def test_status_tells_each_process_and_ends_with_3_when_one_has_ended(tmp_path: Path) -> None:
    Stack(folder=tmp_path).with_(processes={"operator": GONE})

    done = CliRunner().invoke(main, ["local", "status", "--dir", str(tmp_path)])

    assert (done.exit_code, done.stdout.split()) == (3, [f"{tmp_path}:", "operator", "ended"])


@pytest.mark.parametrize(
    ("operator", "own_aws", "running", "code", "why"),
    [
        (True, True, {*KUBERNETES}, 3, "an up that failed after Kubernetes leaves a part of a world"),
        (True, True, {*KUBERNETES, "localaws"}, 3, "the operator was asked for"),
        (True, True, {"localaws", "operator"}, 3, "Kubernetes always is"),
        (True, True, {*KUBERNETES, "localaws", "operator"}, 0, "all of it"),
        (False, True, {*KUBERNETES, "localaws"}, 0, "no operator was asked for"),
        (False, False, {*KUBERNETES}, 0, "another AWS is nobody's process here"),
        (True, False, {*KUBERNETES}, 3, "the operator was asked for, beside another AWS"),
    ],
)
def test_status_is_of_what_was_asked_for(
    tmp_path: Path, *, operator: bool, own_aws: bool, running: set[str], code: int, why: str
) -> None:
    itself = ProcessId.of(os.getpid())
    assert itself is not None
    world = Stack(folder=tmp_path).asking(operator=operator, own_aws=own_aws)
    world.with_(processes=dict.fromkeys(running, itself))

    done = CliRunner().invoke(main, ["local", "status", "--dir", str(tmp_path)])

    assert done.exit_code == code, why
    assert ("not started" in done.stdout) == (code != 0)


def test_status_forgives_the_end_of_what_the_last_start_did_not_ask_for(tmp_path: Path) -> None:
    itself = ProcessId.of(os.getpid())
    assert itself is not None
    before = Stack(folder=tmp_path).asking(operator=True, own_aws=True)
    before.with_(processes={**dict.fromkeys((*KUBERNETES, "localaws"), itself), "operator": GONE})

    asked = (remembered.load(tmp_path) or before).asking(operator=False, own_aws=True)

    assert asked.whole()


@pytest.mark.parametrize(
    "url",
    [
        *("not-a-url", "", "ftp://aws.example", "http://", "https://:443", "127.0.0.1:4566", "http://a b/"),
        *("http://aws.example:99999", "http://aws.example:0", "http://aws.example:port", "http://[::1"),
    ],
)
def test_an_endpoint_that_is_none_is_refused_in_a_sentence_before_anything_is_started(tmp_path: Path, url: str) -> None:
    done = CliRunner().invoke(main, ["local", "up", "--dir", str(tmp_path / "world"), "--aws-endpoint-url", url])

    assert done.exit_code == 1
    assert done.stderr == f"Error: {url!r} is no endpoint of an AWS: give http:// or https:// and a host.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://localhost:4566", "https://ecs.eu-west-1.amazonaws.com/", "http://[::1]:4566"])
def test_an_endpoint_is_taken_as_it_is(url: str) -> None:
    assert environment.of_foreign_aws(url)["AWS_ENDPOINT_URL"] == url


@pytest.mark.parametrize("command", [["local", "up"], ["local", "down"], ["local", "status"], ["demo"]])
def test_without_the_extra_it_says_what_to_install(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_NEEDED", ("a_module_that_nobody_has",))

    done = CliRunner().invoke(main, command)

    assert done.exit_code == 1
    assert done.stderr.startswith("Error: this needs the extra [local]")
    assert "pip install 'backgroundtask-operator[local]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("script", "told", "why"),
    [
        ("echo 'Grant sqs:ReceiveMessage.'", "Grant sqs:ReceiveMessage.\n", "the operator has judged the template"),
        ("exit 0", "", "the operator has not come to it"),
        ("echo 'connection refused' >&2; exit 1", "", "there is nobody to ask"),
    ],
)
def test_what_the_template_lacks_is_told_where_it_is_known(tmp_path: Path, script: str, told: str, why: str) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\n{script}\n")
    kubectl.chmod(0o700)

    assert stack.why_unready(Stack(folder=tmp_path, env={"PATH": str(tmp_path)})) == told, why


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = CliRunner().invoke(main, ["local", "up", "--dir", str(tmp_path / "file" / "below")])

    assert done.exit_code == 1
    assert done.stderr == f"Error: {tmp_path}/file/below cannot be used (Not a directory): give another --dir.\n"


def test_the_demo_takes_no_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()

    done = CliRunner().invoke(main, ["demo", "--dir", str(tmp_path)])

    assert done.exit_code == 2
    assert "is not empty: give a new folder" in done.stderr
    assert (tmp_path / "notes").exists()


def test_programs_that_use_localaws_see_no_aws_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_ECS", "BGT_KUBECONFIG", "BGT_CONTEXT"):
        monkeypatch.setenv(name, "production")
    monkeypatch.setenv("BGT_LOG_LEVEL", "DEBUG")

    seen = environment.with_nothing_foreign(environment.of_localaws("http://127.0.0.1:1", "eu-west-1"), own_aws=True)

    assert "production" not in seen.values()
    assert seen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert seen["BGT_LOG_LEVEL"] == "DEBUG"


def test_another_aws_is_used_with_the_credentials_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "my secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-2")

    env = environment.of_foreign_aws("https://aws.example")

    assert env["AWS_ACCESS_KEY_ID"] == "mine"
    assert env["AWS_REGION"] == "us-east-2"


def test_another_aws_gets_made_up_credentials_only_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert environment.of_foreign_aws("https://aws.example")["AWS_ACCESS_KEY_ID"] == "local"

    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))

    assert "AWS_ACCESS_KEY_ID" not in environment.of_foreign_aws("https://aws.example")


def test_a_proxy_of_the_shell_does_not_come_between(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "NO_PROXY" not in environment.of_localaws("http://127.0.0.1:1", "eu-west-1")

    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", ".example")

    assert environment.of_localaws("http://127.0.0.1:1", "eu-west-1")["NO_PROXY"] == "127.0.0.1,localhost,.example"

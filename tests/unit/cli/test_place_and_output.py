"""What all commands share: where they work, how they print, complete and call themselves."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from backgroundtask.cli.main import main
from backgroundtask.cli.output import short
from backgroundtask.cli.place import Target
from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.resource import TASKS
from fixtures.command_line import HOME, Person
from fixtures.objects import task_object


def test_context_and_kubeconfig_say_which_cluster_and_the_namespace_is_the_contexts(bgt: Person) -> None:
    bgt("status", "--context", "prod", "--kubeconfig", "~/prod")
    bgt("status")

    assert bgt.targets == [Target("~/prod", "prod"), Target(None, None)]
    assert bgt("status").err == f"There are no tasks in namespace {HOME}\n"
    assert bgt("status", "-n", "sales").err == "There are no tasks in namespace sales\n"


def test_a_name_that_is_not_there_is_answered_with_those_that_are(bgt: Person) -> None:
    for number in range(12):
        bgt.has_task(f"task-{number:02}")

    told = bgt("history", "task")

    names = ", ".join(f"task-{number:02}" for number in range(10))
    expected = f"Error: There is no BackgroundTask task in namespace reports; there are {names} and 2 more\n"
    assert told.err == expected
    assert "is it another namespace (-n)?" in bgt("history", "task", "-n", "empty").err


@pytest.mark.parametrize("name", ["", ".", "..", "../../../api/v1/secrets", "Nightly", "a b", "bgt/nightly"])
@pytest.mark.parametrize("command", ["logs", "cancel", "history", "suspend", "rerun"])
def test_what_cannot_be_a_name_is_not_there(bgt: Person, command: str, name: str) -> None:
    bgt.has_task()

    told = bgt(command, name)

    assert told.code == 1
    assert len(told.err.splitlines()) == 1
    assert not [call for call in bgt.trace.calls if call.operation == "kube.get"]


def test_where_may_be_said_before_the_command_as_to_kubectl(bgt: Person) -> None:
    bgt.has_task()

    told = bgt("-n", "sales", "--context", "prod", "--kubeconfig", "there", "status")
    nearer = bgt("-n", "sales", "status", "-n", "reports")

    assert told.err == "There are no tasks in namespace sales\n"
    assert bgt.targets[0] == Target("there", "prod")
    assert "nightly" in nearer.out
    assert bgt("-n", "sales", "repo", "login", "api").err.startswith("Error: There is no ImageRepository api in")


def test_where_is_refused_before_a_command_that_is_nowhere(bgt: Person) -> None:
    told = bgt("--context", "prod", "cron", "@daily")

    assert (told.code, "cron takes none of -n, --context and --kubeconfig" in told.err) == (2, True)


def test_what_cannot_be_a_namespace_is_a_wrong_call(bgt: Person) -> None:
    assert bgt("status", "-n", "../x").code == 2
    assert bgt("status", "-n", "").code == 2


def test_whoever_may_not_list_names_is_told_what_is_not_there_all_the_same(bgt: Person) -> None:
    bgt.trace.fail_next("kube.names", Blocked("Forbidden", "You may not list backgroundtasks"))

    assert bgt("suspend", "nightly").err == "Error: There is no BackgroundTask nightly in namespace reports\n"


def test_a_terminal_gets_colours_and_a_pipe_the_same_words(bgt: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    bgt.has_task()
    bgt.has_run("nightly-1", phase="Succeeded", exitCode=0)
    plain = bgt("history", "nightly").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")

    coloured = bgt("history", "nightly").out

    assert "\x1b[32mSucceeded\x1b[0m" in coloured
    assert "\x1b" not in plain
    assert plain.splitlines() == [line.rstrip() for line in plain.splitlines()]


def test_a_pipe_is_never_too_narrow(bgt: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    bgt.has_task()
    bgt.has_run("nightly-1", phase="Failed", message="word " * 100)

    told = bgt("history", "nightly", "-o", "wide")

    assert len(told.out.splitlines()) == 2


def test_a_narrow_terminal_folds_no_name_and_no_moment(bgt: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    bgt.has_task()
    bgt.has_run("nightly-1", phase="Failed", message="word " * 100, startTime="2026-11-21T03:00:10Z")

    told = bgt("history", "nightly", "-o", "wide").out

    assert "nightly-1  " in told
    assert "2026-11-21T03:00:10Z" in told
    assert max(map(len, told.splitlines()[1:])) < 200


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (0, "0s"), (119.9, "119s"), (120, "2m"), (150, "2m30s"), (600, "10m"), (3 * 3600, "3h"),
     (3 * 3600 + 300, "3h5m"), (8 * 3600 + 300, "8h"), (47 * 3600, "47h"), (48 * 3600, "2d"), (90 * 86400, "90d")],
)  # fmt: skip
def test_lengths_of_time_are_as_short_as_kubectls(seconds: float, shown: str) -> None:
    assert short(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172800), ("0", 0)]
)
def test_lengths_of_time_are_typed_as_to_kubectl(bgt: Person, text: str, seconds: int) -> None:
    bgt.has_run("nightly-1", phase="Running")
    begun = bgt.clock()

    if seconds < 1000:
        assert bgt("wait", "nightly-1", "--timeout", text).code == 124
        assert (bgt.clock() - begun).total_seconds() == seconds
    else:
        bgt.meanwhile(bgt.ends("nightly-1"))
        assert bgt("wait", "nightly-1", "--timeout", text).code == 0


@pytest.mark.parametrize("text", ["", "m", "5 m", "-5s", "1.5h", "5m3h", "5min", "²s", "1" * 30])
def test_what_is_no_length_of_time_is_a_wrong_call(bgt: Person, text: str) -> None:
    told = bgt("wait", "nightly-1", "--timeout", text)

    assert told.code == 2
    assert "write one such as 90s, 5m or 1h30m" in told.err


def complete(person: Person, *words: str, incomplete: str = "") -> list[str]:
    shell = ShellComplete(main, {"obj": person.outside()}, "bgt", "_BGT_COMPLETE")
    return [item.value for item in shell.get_completions(list(words), incomplete)]


def test_names_of_tasks_and_runs_complete(bgt: Person) -> None:
    bgt.has_task()
    bgt.has_task("weekly")
    bgt.has_run("nightly-1")
    elsewhere = task_object()
    elsewhere["metadata"] |= {"namespace": "sales", "name": "news"}
    bgt.store.insert(TASKS, elsewhere)

    assert complete(bgt, "run") == ["nightly", "weekly"]
    assert complete(bgt, "run", incomplete="we") == ["weekly"]
    assert complete(bgt, "run", "-n", "sales") == ["news"]
    assert complete(bgt, "cancel") == ["nightly-1"]
    assert complete(bgt, "-n", "sales", "run") == ["news"]
    assert complete(bgt, "logs") == ["nightly", "nightly-1", "weekly"]


@pytest.mark.parametrize("error", [Busy("Unreachable", "no answer"), Blocked("Forbidden", "no right")])
def test_a_tab_is_answered_with_nothing_where_the_cluster_gives_no_answer(bgt: Person, error: Exception) -> None:
    bgt.trace.fail_next("kube.names", error)

    assert complete(bgt, "run") == []


@pytest.mark.parametrize(
    ("program", "usage"),
    [("/usr/local/bin/kubectl-bgtask", "Usage: kubectl bgtask run "), ("/usr/local/bin/bgt", "Usage: bgt run ")],
)
def test_the_usage_line_is_what_the_person_has_typed(
    monkeypatch: pytest.MonkeyPatch, program: str, usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [program, "run", "-h"])

    with pytest.raises(SystemExit):
        main()

    assert capsys.readouterr().out.startswith(usage)


def test_every_command_has_help_that_fits_a_line() -> None:
    told = CliRunner().invoke(main, ["--help"], prog_name="bgt")

    assert told.exit_code == 0
    for name in main.list_commands(None):  # type: ignore[attr-defined]
        assert f"\n  {name} " in told.output

"""`bgt diff`: what an apply of a file would change in AWS, as the operator would plan it."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import click

from backgroundtask.cli.command import Command
from backgroundtask.cli.documents import files_option, named, read, tasks
from backgroundtask.cli.output import output_option, print_document, print_line, printable, say
from backgroundtask.cli.place import Place, place_options
from backgroundtask.errors import Expected, Rejected
from backgroundtask.kube.resource import TASKS, TEMPLATES, Body
from backgroundtask.plan.comparison import UNTOLD, Difference

if TYPE_CHECKING:
    from backgroundtask.cli.forecast import Alteration, Forecast
    from backgroundtask.cli.lookout import Lookout

CHANGED: Final = 1
FAILED: Final = 2
"""As kubectl diff, whose 0 is no difference."""

_SIGNS: Final = {"Create": ("+", "green"), "Update": ("~", "yellow"), "Remove": ("-", "red")}


class _Failure(click.ClickException):
    """What went wrong, as 1 is a difference."""

    exit_code = FAILED


class _Command(Command):
    """Fails with 2."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run it."""
        try:
            return super().invoke(ctx)
        except click.UsageError:
            raise
        except click.ClickException as error:
            raise _Failure(error.message) from error


@click.command(cls=_Command, short_help="Show what an apply would change in AWS.")
@files_option(required=True, help="Tasks to apply")
@click.option(
    "--installation",
    envvar="BGT_INSTALLATION",
    show_envvar=True,
    help="Name of the operator's installation.  [default: as what it has made is called]",
)
@output_option("json", "yaml")
@place_options()
@click.pass_context
def diff(
    ctx: click.Context, *, place: Place, files: Sequence[str], installation: str | None, output: str | None
) -> None:
    """Show what `kubectl apply -f FILE` would change in AWS: task definitions and schedules, member by member.

    It is the operator's own plan, against what AWS holds now, seen with your own AWS credentials; nothing is written.
    Of variables only the names are shown. Exits with 0 where nothing would change, 1 where something would, and 2 where
    a task is refused or something could not be looked at.
    """
    bodies, others = tasks(files, ctx.params["namespace"], default=place.namespace)
    for other in others:
        say(f"{other} is no BackgroundTask: left out")
    if not bodies:
        raise Rejected("NoTasks", f"There is no BackgroundTask in {', '.join(map(named, files))}.")
    look = _Look(place, installation)
    results = [look.at(body) for body in bodies]
    if output:
        print_document(output, {"tasks": [_as_json(body, result) for body, result in results]})
    else:
        _print(results)
    if any(isinstance(result, Expected) for _, result in results):
        ctx.exit(FAILED)
    if any(not isinstance(result, Expected) and result.alterations for _, result in results):
        ctx.exit(CHANGED)


class _Look:
    """Looks at one task after another; each LaunchTemplate is asked for once."""

    def __init__(self, place: Place, installation: str | None) -> None:
        self._place = place
        self._installation = installation
        self._lookout = cache(self._found)

    def at(self, body: Body) -> "tuple[Body, Forecast | Expected]":
        """What would become of a task, or why that cannot be told."""
        from backgroundtask.cli.forecast import forecast  # noqa: PLC0415 - most commands need no boto3

        try:
            template = read(body).spec.launch_template
            metadata = body["metadata"]
            live = self._place.kube.get(TASKS, metadata["namespace"], metadata["name"])
            return body, forecast(body, live, self._lookout(template), now=self._place.outside.now())
        except Expected as error:
            return body, error

    def _found(self, template: str) -> "Lookout":
        from backgroundtask.cli.lookout import Lookout, installation_of  # noqa: PLC0415 - as above

        body = self._place.get(TEMPLATES, template)
        name = self._installation or installation_of(body, self._place.kube.list(TASKS, self._place.namespace))
        return Lookout.of(self._place, body, name)


def _print(results: "Iterable[tuple[Body, Forecast | Expected]]") -> None:
    for body, result in results:
        title = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
        if isinstance(result, Expected):
            say(f"{title}: {result.reason}: {result.message}")
            continue
        print_line((title, "bold") if result.alterations else (f"{title}: no change", ""))
        for one in result.alterations:
            _print_alteration(one)
        if result.note:
            print_line((f"  {result.note}", ""))


def _print_alteration(one: "Alteration") -> None:
    sign, colour = _SIGNS[one.action]
    print_line((f"  {sign} {one.kind} {printable(one.name)}", colour))
    if one.note:
        print_line((f"      {one.note}", ""))
    width = max((len(each.path) for each in one.differences), default=0)
    for each in one.differences:
        print_line((f"      {printable(each.path).ljust(width)}   {_said(each)}", ""))


def _said(one: Difference) -> str:
    """Both sides; of a variable neither is known here, only that they differ."""
    before, after = (None if side is None else printable(side) for side in (one.before, one.after))
    if before is None:
        return f"{after}" if after != UNTOLD else "added"
    if after is None:
        return f"{before} → (none)" if before != UNTOLD else "removed"
    return f"{before} → {after}" if before != after else "changed"


def _as_json(body: Body, result: "Forecast | Expected") -> dict[str, object]:
    name = {"namespace": body["metadata"]["namespace"], "task": body["metadata"]["name"]}
    if isinstance(result, Expected):
        return {**name, "error": {"reason": result.reason, "message": result.message}}
    note = {"note": result.note} if result.note else {}
    return {**name, "changed": bool(result.alterations), "changes": [*map(_change, result.alterations)], **note}


def _change(one: "Alteration") -> dict[str, object]:
    differences = [{"path": each.path, "before": each.before, "after": each.after} for each in one.differences]
    note = {"note": one.note} if one.note else {}
    return {"action": one.action, "kind": one.kind, "name": one.name, "differences": differences, **note}

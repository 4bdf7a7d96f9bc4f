"""`bgt cron`: what a schedule becomes in AWS, and when it runs; the same code that the operator uses.

Knows how to ask and to answer. What a schedule is, it leaves to `backgroundtask.cron`.
"""

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import click
from rich.console import Console
from rich.table import Table

from backgroundtask import cron as schedules
from backgroundtask.errors import Rejected

RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
MOST_TIMES = 10_000
FAILED = 1

Answer = dict[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every expression; `zone` is the time zone of this name."""

    time_zone: str
    zone: dt.tzinfo
    after: dt.datetime
    count: int

    def times(self, expression: schedules.Expression) -> Iterator[dt.datetime]:
        """The next runs, in UTC, at most as many as were asked for."""
        return islice(schedules.next_times(expression, time_zone=self.time_zone, after=self.after), self.count)


class Moment(click.ParamType[dt.datetime]):
    """A moment as RFC 3339 writes it: with seconds, and with `Z` or an offset."""

    name = "RFC3339"

    def convert(
        self, value: str | dt.datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.datetime:
        """Refuses what has no offset: a time without one is another moment on another machine."""
        if isinstance(value, dt.datetime):
            return value
        try:
            return _moment(value)
        except ValueError:
            self.fail(f'"{value}" is no moment; write one such as 2026-11-20T09:00:00Z', param, ctx)


def _moment(text: str) -> dt.datetime:
    if not RFC3339.fullmatch(text):
        raise ValueError(text)
    return dt.datetime.fromisoformat(text.upper())


class Zone(click.ParamType[str]):
    """The name of a time zone that exists."""

    name = "TZ"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuses an unknown name with the nearest known ones."""
        try:
            schedules.time_zone(value)
        except Rejected as refusal:
            self.fail(refusal.message, param, ctx)
        return value


@click.command(short_help="Show what a schedule becomes in AWS, and its runs.")
@click.argument("expression")
@click.option("--time-zone", type=Zone(), default="UTC", show_default=True, help="IANA name, such as Europe/Berlin.")
@click.option("--after", type=Moment(), help="Runs after this moment.  [default: now]")
@click.option("-n", "--count", type=click.IntRange(0, MOST_TIMES), default=5, show_default=True, help="How many runs.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def cron(
    ctx: click.Context, *, expression: str, time_zone: str, after: dt.datetime | None, count: int, output: str
) -> None:
    """Show what the schedule EXPRESSION becomes in AWS, and its next runs.

    EXPRESSION is what spec.cron takes: Unix cron as Kubernetes reads it, a macro such as @daily, or cron(...),
    rate(...) and at(...) of AWS. Quote it, so that the shell leaves its stars alone.

    With - and -o json, reads one expression a line from standard input and answers each with one line of JSON.
    Exits with 1 if an expression was refused.
    """
    question = Question(time_zone, schedules.time_zone(time_zone), after or dt.datetime.now(dt.UTC), count)
    if expression == "-" and output != "json":
        raise click.UsageError("expressions from standard input are answered in JSON: add -o json")
    if expression == "-":
        refused = _answer_lines(question)
    else:
        refused = _answer_json(expression, question) if output == "json" else _answer_table(expression, question)
    if refused:
        ctx.exit(FAILED)


def _answer_lines(question: Question) -> int:
    """Answer each line as it comes; how many were refused."""
    lines = click.open_file("-", encoding="utf-8", errors="replace")
    return sum(_answer_json(line.rstrip("\r\n"), question) for line in lines)


def _answer_json(expression: str, question: Question) -> bool:
    answer = _answer(expression, question)
    click.echo(json.dumps(answer))  # flushes, so that whoever writes a line can wait for its answer
    return "error" in answer


def _answer(text: str, question: Question) -> Answer:
    try:
        expression = schedules.parse(text)
        aws = list(schedules.to_aws(expression))
    except Rejected as refusal:
        return {"expression": text, "error": refusal.message}
    return {"expression": text, "aws": aws, "next": [_utc(moment) for moment in question.times(expression)]}


def _answer_table(text: str, question: Question) -> bool:
    try:
        expression = schedules.parse(text)
        aws = schedules.to_aws(expression)
    except Rejected as refusal:
        click.echo(f"Error: {refusal.message}", err=True)
        return True
    for schedule in aws:
        click.echo(f"AWS  {schedule}")
    _show(expression, question)
    return False


def _show(expression: schedules.Expression, question: Question) -> None:
    if not expression.slots_known:
        click.echo("Runs are counted from a moment that only AWS knows.")
        return
    times = list(question.times(expression))
    if not times:
        click.echo("No runs.")
        return
    is_utc = question.time_zone == "UTC"
    table = Table("UTC", box=None) if is_utc else Table(question.time_zone, "UTC", box=None)
    for moment in times:
        local = moment.astimezone(question.zone)
        table.add_row(*([] if is_utc else [f"{local:%a %Y-%m-%d %H:%M:%S %z}"]), _utc(moment))
    Console().print(table)


def _utc(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")

"""How commands print: tables and colours for people, the same facts in plain lines for pipes, objects for programs.

No value of a variable is printed, not even as part of an object: `kubectl get -o yaml` shows them to whoever may read
the object. No control character of somebody else's text reaches a terminal.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import click
import yaml
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

Format = Literal["wide", "json", "yaml"]
NOTHING: Final = "-"

_STYLES: Final = {
    **dict.fromkeys(("True", "Succeeded"), "green"),
    **dict.fromkeys(("False", "Failed", "Missed", "Lost"), "red"),
    **dict.fromkeys(("Pending", "Launching", "Skipped", "Cancelled", "Unknown"), "yellow"),
    "Running": "cyan",
}
_PRIVATE: Final = ("kubectl.kubernetes.io/last-applied-configuration",)
"""Annotations that quote a whole spec, and with it the values of its variables."""
_SEQUENCE: Final = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[ -/]*[0-~])")
"""What terminals take as one order: CSI with its parameters, OSC with its text, and the short ones (ECMA-48)."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")  # all but the tab
_GAP: Final = 2
_LAST_COLUMN: Final = 24
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def output_option(*formats: Format) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command `-o`; its argument `output` is None where the command's own form was asked for."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        help="Objects as they are, or a table with more columns." if "wide" in formats else "Objects as they are.",
    )


def print_object(output: str, body: Mapping[str, Any]) -> None:
    """Print one object as JSON or YAML, without values of variables."""
    click.echo(_document(output, presentable(body)), nl=False)


def print_objects(output: str, bodies: Iterable[Mapping[str, Any]]) -> None:
    """Print a list of objects as kubectl does."""
    items = [presentable(body) for body in bodies]
    click.echo(_document(output, {"apiVersion": "v1", "kind": "List", "items": items}), nl=False)


def print_document(output: str, document: Mapping[str, Any]) -> None:
    """Print an answer that is no object of the API as JSON or YAML."""
    click.echo(_document(output, document), nl=False)


def presentable(body: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of an object as people may see it: without values of variables, and without who manages which field."""
    copy = deepcopy(dict(body))
    metadata, spec = copy.get("metadata", {}), copy.get("spec", {})
    metadata.pop("managedFields", None)
    for key in _PRIVATE:
        metadata.get("annotations", {}).pop(key, None)
    for variable in (*spec.get("env", ()), *spec.get("overrides", {}).get("env", ())):
        variable.pop("value", None)
    return copy


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows: with colours on a terminal, as lines of aligned words anywhere else. `-` stands for nothing."""
    cells = [[printable(cell) or NOTHING for cell in row] for row in rows]
    lines = [[column.upper() for column in columns], *cells]
    console = Console(highlight=False)
    if not console.is_terminal:
        click.echo("\n".join(_lines(lines)))
        return
    table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="bold")
    for index, column in enumerate(lines[0], 1):
        table.add_column(column, overflow="fold", no_wrap=index < len(columns))
    for row in cells:
        table.add_row(*map(styled, row))
    Console(highlight=False, width=max(console.width, _least_width(lines))).print(table)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and what is so, one a line."""
    console = Console(highlight=False, soft_wrap=True)
    told = [(f"{name}:" if name else "", printable(what) or NOTHING) for name, what in facts]
    width = max((len(name) for name, _ in told), default=0)
    for name, what in told:
        console.print(Text(name.ljust(width + 2), style="bold"), styled(what), sep="")


def print_line(*parts: tuple[str, str]) -> None:
    """Print a line of words, each with its style for a terminal; it is neither cut nor folded."""
    Console(highlight=False, soft_wrap=True).print(Text.assemble(*parts))


def say(line: str) -> None:
    """Tell the person something that is no answer: on standard error."""
    click.echo(printable(line), err=True)


def styled(word: str) -> Text:
    """A word, or what begins with it, in the colour of what it says."""
    return Text(word, style=_STYLES.get(word.partition(" ")[0].rstrip(":"), ""))


def printable(text: str) -> str:
    """Return `text` without control characters and without the orders to a terminal that they begin; tabs stay."""
    return _CONTROL.sub("", _SEQUENCE.sub("", text))


def short(length: timedelta) -> str:
    """A length of time as kubectl shortens it: 90s, 12m, 5h30m, 3d."""
    seconds = max(int(length.total_seconds()), 0)
    minutes, hours, days = seconds // _MINUTE, seconds // _HOUR, seconds // _DAY
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if minutes < 10:  # noqa: PLR2004 - from here on seconds do not matter
        return f"{minutes}m{seconds % _MINUTE}s" if seconds % _MINUTE else f"{minutes}m"
    if hours < 3:  # noqa: PLR2004 - from here on hours read better
        return f"{minutes}m"
    if hours < 8:  # noqa: PLR2004 - from here on minutes do not matter
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{hours}h" if days < 2 else f"{days}d"  # noqa: PLR2004 - as kubectl: 47h, then 2d


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, or in how long; empty where there is no moment."""
    if moment is None:
        return ""
    return f"in {short(moment - now)}" if moment > now else f"{short(now - moment)} ago"


def _document(output: str, body: Mapping[str, Any]) -> str:
    if output == "json":
        return json.dumps(body, indent=4) + "\n"
    return yaml.safe_dump(body, default_flow_style=False, allow_unicode=True, width=10**6)


def _least_width(rows: Sequence[Sequence[str]]) -> int:
    """What a table takes so that only its last column is folded: names and moments have to stay whole."""
    *widths, last = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return sum(width + _GAP for width in widths) + min(last, _LAST_COLUMN) + _GAP


def _lines(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

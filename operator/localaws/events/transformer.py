"""What a target gets of an event: all of it, a constant, a part, or a template filled in.

Pure. Documented: EventBridge User Guide, "Amazon EventBridge input transformation"; API Reference, InputTransformer.
In a template `<name>` stands for a value: outside of quotes as JSON, within them as bare text, which nobody escapes.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from localaws.contract import AwsError, Params
from localaws.events.jsonpath import MISSING, find

PREDEFINED = frozenset(
    {
        "aws.events.rule-arn",
        "aws.events.rule-name",
        "aws.events.event.ingestion-time",
        "aws.events.event",
        "aws.events.event.json",
    }
)

_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.-]+)>")
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"?|[^"]+', re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_MOST_VARIABLES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """An event on its way through a rule; `ingested` is when EventBridge received it."""

    event: Params
    rule_arn: str
    rule_name: str
    ingested: dt.datetime

    def predefined(self) -> dict[str, Any]:
        """The values of the variables that need no path."""
        return {
            "aws.events.rule-arn": self.rule_arn,
            "aws.events.rule-name": self.rule_name,
            "aws.events.event.ingestion-time": f"{self.ingested.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
            "aws.events.event": {name: value for name, value in self.event.items() if name != "detail"},
            "aws.events.event.json": self.event,
        }


def body(target: Params, occasion: Occasion) -> str:
    """The text that a target gets.

    Raises:
        AwsError: the template, filled in, is no JSON (assumed: then the target is not invoked).
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputTransformer" in target:
        return _transformed(target["InputTransformer"], occasion)
    found = find(occasion.event, target.get("InputPath", "$"))
    return _minified(None if found is MISSING else found)


def problem(transformer: Params) -> str | None:
    """What is wrong with an InputTransformer, as the end of a sentence; None where nothing is.

    Documented: API, InputTransformer: at most 100 variables, their names, none that begins with AWS., no placeholder as
    the key of an object; User Guide: "for strings, quotes are required", paths are not validated. Assumed: a variable
    that nobody defines is refused, and the wording of all of it.
    """
    paths = transformer.get("InputPathsMap", {})
    if len(paths) > _MOST_VARIABLES:
        return f"InputPathsMap can have at most {_MOST_VARIABLES} entries"
    if wrong := [name for name in paths if not _NAME.fullmatch(name) or name.upper().startswith("AWS.")]:
        return f"InputPathsMap cannot have the key {wrong[0]}"
    template = transformer["InputTemplate"]
    unknown = sorted(set(_PLACEHOLDER.findall(template)) - paths.keys() - PREDEFINED)
    if unknown:
        return f"InputTemplate uses <{unknown[0]}>, which InputPathsMap does not define"
    values = _values("".join(piece if quoted else _PLACEHOLDER.sub("0", piece) for quoted, piece in _pieces(template)))
    if values is None:
        return "InputTemplate must be a JSON object or array, or text in double quotes"
    if any(_PLACEHOLDER.search(key) for value in values for key in _keys(value)):
        return "InputTemplate cannot use a placeholder as the key of an object"
    return None


def _transformed(transformer: Params, occasion: Occasion) -> str:
    paths = transformer.get("InputPathsMap", {})
    values = {name: find(occasion.event, path) for name, path in paths.items()} | occasion.predefined()
    template = transformer["InputTemplate"]
    filled = "".join(_filled(piece, values, quoted=quoted) for quoted, piece in _pieces(template))
    if template.lstrip().startswith('"'):
        return filled
    try:
        return _minified(json.loads(filled))
    except ValueError as error:
        raise AwsError("InvalidInputTransformer", "The input template, filled in, is not valid JSON.") from error


def _filled(piece: str, values: Params, *, quoted: bool) -> str:
    show = _bare if quoted else _as_json
    return _PLACEHOLDER.sub(lambda found: show(values[found[1]]), piece)


def _as_json(value: Any) -> str:  # noqa: ANN401  # whatever an event holds
    # Reported (localstack, which compares with AWS): a path that finds nothing gives an empty string.
    return _minified("" if value is MISSING else value)


def _bare(value: Any) -> str:  # noqa: ANN401  # whatever an event holds
    """A value within quotes.

    Documented: User Guide: what a path does not find does not appear; extracted values are not escaped. Reported
    (localstack, which compares with AWS): objects and arrays lose their own quotes.
    """
    if value is MISSING:
        return ""
    return value if isinstance(value, str) else _minified(value).replace('"', "")


def _pieces(template: str) -> Iterator[tuple[bool, str]]:
    """The template in pieces: within quotes or not, and the text, quotes included."""
    return ((found[0].startswith('"'), found[0]) for found in _PIECE.finditer(template))


def _values(text: str) -> list[Any] | None:
    """The object or array of a text, or its strings one after the other; None where it is neither."""
    decoder, values, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        try:
            value, end = decoder.raw_decode(rest)
        except ValueError:
            return None
        values.append(value)
        rest = rest[end:].lstrip()
    whole = len(values) == 1 and isinstance(values[0], dict | list)
    return values if whole or (values and all(isinstance(value, str) for value in values)) else None


def _keys(value: Any) -> Iterator[str]:  # noqa: ANN401  # any JSON
    for key, item in value.items() if isinstance(value, dict) else ():
        yield key
        yield from _keys(item)
    for item in value if isinstance(value, list) else ():
        yield from _keys(item)


def _minified(value: Any) -> str:  # noqa: ANN401  # any JSON
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

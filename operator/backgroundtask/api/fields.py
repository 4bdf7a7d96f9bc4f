"""Types of single fields that several kinds share: names, ARNs, times, tags, texts of a status.

Each is bounded, because the API server prices CEL rules by the greatest size that a value may have.
"""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from backgroundtask.api.names import MAX_LABEL, MAX_TASK_NAME, TAG_PREFIX
from backgroundtask.api.rules import RULE, Rule, cel_string, shaped

LABEL_PATTERN = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
ROLE_NAME = re.compile("[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")  # Unicode's category Cc; every text of every status passes here

TEXT_LIMIT = 4096
"""Most characters of a message in a status."""


def _one_line(text: object) -> object:
    """Turn control characters into spaces: what containers and AWS say ends up on people's terminals."""
    if not isinstance(text, str):
        return text
    return _CONTROL.sub(" ", text)


def _cut(limit: int) -> BeforeValidator:
    def cut(text: object) -> object:
        return f"{text[: limit - 1]}…" if isinstance(text, str) and len(text) > limit else text

    return BeforeValidator(cut)


def first(limit: int) -> BeforeValidator:
    """Return the validator that keeps at most `limit` items of a list in a status."""

    def keep(items: object) -> object:
        return items[:limit] if isinstance(items, list | tuple) else items

    return BeforeValidator(keep)


def last(limit: int) -> BeforeValidator:
    """Return the validator that keeps at most `limit` items of a list in a status, those at its end."""

    def keep(items: object) -> object:
        return items[-limit:] if isinstance(items, list | tuple) else items

    return BeforeValidator(keep)


def _is_time(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError(RULE, "there is no such date or time") from None
    return text


Word = Annotated[str, _cut(1024), BeforeValidator(_one_line), StringConstraints(max_length=1024)]
"""A short text of a status, such as a reason; a longer one is cut."""
Text = Annotated[str, _cut(TEXT_LIMIT), BeforeValidator(_one_line), StringConstraints(max_length=TEXT_LIMIT)]
"""A message of a status on one line; a longer one is cut."""
LogLine = Annotated[str, _cut(256), BeforeValidator(_one_line), StringConstraints(max_length=256)]
"""A line of a container's output in a status; a longer one is cut."""
Arn = Annotated[str, StringConstraints(max_length=2048)]
"""An ARN in a status, as AWS gave it."""

Time = Annotated[
    str,
    StringConstraints(max_length=20, pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"),
    AfterValidator(_is_time),
    Field(json_schema_extra={"format": "date-time"}),
]
"""A moment in UTC with whole seconds, as metav1.Time writes it: `2026-11-30T03:00:00Z`."""

TaskName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_TASK_NAME),
    shaped(LABEL_PATTERN, "must be the name of a BackgroundTask, a DNS label: lower-case letters, digits and '-'"),
]
TemplateName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_LABEL),
    shaped(LABEL_PATTERN, "must be the name of a LaunchTemplate, a DNS label: lower-case letters, digits and '-'"),
]
RoleName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_LABEL),
    shaped(
        ROLE_NAME.pattern,
        "must be one of the names that the LaunchTemplate offers in taskRoles, never an ARN",
    ),
]
TAG_TEXT = cel_string(r"^[\p{L}\p{Z}\p{N}_.:/=+@-]*$")
"""The pattern of ECS's TagKey and TagValue, for CEL; `re` knows no `\\p`."""


def _has_tag_characters(text: str) -> bool:
    return all(character in "_.:/=+@-" or unicodedata.category(character)[0] in "LZN" for character in text)


def _is_tag_key(key: str) -> bool:
    fits = 1 <= len(key) <= 128  # noqa: PLR2004 - ECS's TagKey
    return fits and not key.lower().startswith("aws:") and not key.startswith(TAG_PREFIX) and _has_tag_characters(key)


def _is_tag_value(value: str) -> bool:
    return not value.lower().startswith("aws:") and _has_tag_characters(value)


def dns_label(what: str, limit: int) -> Rule:
    """Return the rule on an object of the API that its name is a DNS label of at most `limit` characters.

    The API server has refused everything but dots and greater length already.
    """

    def holds(thing: Any) -> bool:  # noqa: ANN401 - any kind
        name = thing.metadata.name
        return len(name) <= limit and "." not in name

    return Rule(
        cel=f"self.metadata.name.size() <= {limit} && !self.metadata.name.contains('.')",
        message=f"the name of a {what} must have at most {limit} characters and no dots",
        holds=holds,
        # Deeper paths would have to be in the schema, where metadata has no members.
        field="metadata",
    )


Tags = Annotated[
    dict[
        str,
        Annotated[
            str,
            StringConstraints(max_length=256),
            Rule(
                cel=f"self.matches({TAG_TEXT}) && !self.matches('^[aA][wW][sS]:')",
                message="must have letters, digits, spaces and _ . : / = + @ - only, and not begin with aws:",
                holds=_is_tag_value,
            ),
        ],
    ],
    # ECS allows 50 tags on a resource; the rest is the operator's.
    Field(max_length=40),
    Rule(
        cel=f"self.all(key, key.size() >= 1 && key.size() <= 128 && !key.startsWith('{TAG_PREFIX}')"
        f" && key.matches({TAG_TEXT}) && !key.matches('^[aA][wW][sS]:'))",
        message="keys must have 1 to 128 letters, digits, spaces and _ . : / = + @ -, and begin neither with aws: "
        f"nor with {TAG_PREFIX}",
        holds=lambda tags: all(map(_is_tag_key, tags)),
    ),
]

"""The door: objects as the API server sends them become models here, and nowhere else.

`parse_*` judges: it raises `Rejected` with a sentence that names the fields and says what to change, also on clusters
whose API server evaluates no CEL, or for objects that are older than a rule. `read_*` does not judge: an object whose
spec is refused still has to be reported on, and deleted.
No message holds a value: values of env may be secrets.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.model import FORGIVING
from backgroundtask.api.repository import ImageRepository, RepositoryParting, RepositoryStatus
from backgroundtask.api.rules import RULE
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task import BackgroundTask, TaskParting
from backgroundtask.api.task_status import TaskStatus
from backgroundtask.api.template import LaunchTemplate, TemplateStatus
from backgroundtask.errors import Rejected

INVALID_SPEC: Final = "InvalidSpec"
"""Reason of the `Rejected` that `parse_*` raises."""

_SHOWN = 5
T = TypeVar("T", bound=BaseModel)
_PLAIN_KEY = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,62}")


def parse_task(obj: Mapping[str, Any]) -> BackgroundTask:
    """Return the task, or raise `Rejected`."""
    return _parsed(BackgroundTask, obj)


def parse_run(obj: Mapping[str, Any]) -> BackgroundTaskRun:
    """Return the run, or raise `Rejected`."""
    return _parsed(BackgroundTaskRun, obj)


def parse_template(obj: Mapping[str, Any]) -> LaunchTemplate:
    """Return the template, or raise `Rejected`."""
    return _parsed(LaunchTemplate, obj)


def parse_repository(obj: Mapping[str, Any]) -> ImageRepository:
    """Return the repository, or raise `Rejected`."""
    return _parsed(ImageRepository, obj)


def read_metadata(obj: Mapping[str, Any]) -> ObjectMeta:
    """Return the metadata of any object, whatever its spec; `Rejected` only for what no API server sends."""
    return _parsed(ObjectMeta, obj.get("metadata", {}))


def read_task_status(obj: Mapping[str, Any]) -> TaskStatus:
    """Return the status of a BackgroundTask, whatever its spec; what cannot be read is absent."""
    return _parsed(TaskStatus, obj.get("status") or {})


def read_template_status(obj: Mapping[str, Any]) -> TemplateStatus:
    """Return the status of a LaunchTemplate, whatever its spec; what cannot be read is absent."""
    return _parsed(TemplateStatus, obj.get("status") or {})


def read_task_parting(obj: Mapping[str, Any]) -> TaskParting:
    """Return what the deletion of a BackgroundTask needs of its spec, however wrong the rest of it is."""
    return _parsed(TaskParting, obj.get("spec") or {})


def read_repository_status(obj: Mapping[str, Any]) -> RepositoryStatus:
    """Return the status of an ImageRepository, whatever its spec; what cannot be read is absent."""
    return _parsed(RepositoryStatus, obj.get("status") or {})


def read_repository_parting(obj: Mapping[str, Any]) -> RepositoryParting:
    """Return what the deletion of an ImageRepository needs of its spec, however wrong the rest of it is."""
    return _parsed(RepositoryParting, obj.get("spec") or {})


def _parsed(model: type[T], obj: Mapping[str, Any]) -> T:
    try:
        return model.model_validate(obj, by_alias=True, by_name=False, context=FORGIVING)
    except ValidationError as error:
        raise Rejected(INVALID_SPEC, _message(error)) from error


def _message(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False)
    sentences = list(dict.fromkeys(map(_sentence, details)))
    more = [f"and {len(sentences) - _SHOWN} more"] if len(sentences) > _SHOWN else []
    return "; ".join([*sentences[:_SHOWN], *more])


def _sentence(detail: ErrorDetails) -> str:
    blamed = str(detail.get("ctx", {}).get("field", ""))
    path = "".join(map(_step, detail["loc"])) + (f".{blamed}" if blamed else "")
    what = detail["msg"] if detail["type"] == RULE else detail["msg"][:1].lower() + detail["msg"][1:]
    return f"{path.removeprefix('.') or 'object'}: {what}"


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if _PLAIN_KEY.fullmatch(part) else f"[{json.dumps(part[:63])}]"

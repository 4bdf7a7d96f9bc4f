"""How log lines look: `[LEVEL] - message` for people, or one JSON object a line for machines.

Of what comes with a record only the fields named here go into a line: other libraries hang whole objects on theirs.
What a message may hold is the caller's business: names, reasons and ARNs; never env, never a whole spec.
"""

import logging
import sys
import threading
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pythonjsonlogger.json import JsonFormatter

Format = Literal["plain", "json"]

FIELDS: Final = (
    "time",
    "level",
    "logger",
    "message",
    "task",
    "run",
    "template",
    "repository",
    "reason",
    "task_arn",
    "exception",
)
"""Members of a JSON line, in order: the first four are in each, the others where they are known."""

_LEVELS = {"WARNING": "WARN"}
_OURS = logging.getLogger("backgroundtask")


def log_lines(level: str = "INFO", form: Format = "plain") -> None:
    """Log to standard error: our own lines from `level` on, those of libraries from WARNING on."""
    logging.addLevelName(logging.WARNING, "WARN")
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(_Json() if form == "json" else logging.Formatter("[%(levelname)s] - %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[lines], force=True)
    _OURS.setLevel(level)
    if form == "json":  # what would reach standard error by another way would be a line that is no JSON
        logging.captureWarnings(capture=True)
        sys.excepthook = _tell_uncaught
        threading.excepthook = _tell_uncaught_of_thread


class _Json(JsonFormatter):
    """One object a line; an exception is one member, with its line breaks escaped."""

    def __init__(self) -> None:
        super().__init__(json_ensure_ascii=False, json_default=str)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {name: log_data[name] for name in FIELDS if log_data.get(name) is not None}

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        super().add_fields(log_data, record, {})
        told = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data |= {
            "time": told.replace("+00:00", "Z"),  # RFC 3339
            "level": _LEVELS.get(record.levelname, record.levelname),
            "logger": record.name,
            "message": record.getMessage(),
            "exception": message_dict.get("exc_info"),
        }


def _tell_uncaught(kind: type[BaseException], error: BaseException, traceback: Any) -> None:  # noqa: ANN401 - the hook's own type
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    _OURS.critical("The process ends: a bug", exc_info=(kind, error, traceback))


def _tell_uncaught_of_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None:
        name = told.thread.name if told.thread else "unknown"
        _OURS.critical("Thread %s ended: a bug", name, exc_info=told.exc_value)

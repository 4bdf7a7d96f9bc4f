"""Where botocore's errors end: every call to AWS runs inside `translated`, and the three expected errors leave it.

An answer is judged by the table in `refusals`, a missing answer by the tuples below. What neither knows stays what it
is: a bug. Nothing that AWS quotes from a request goes on, not even inside the chained error, whose traceback may be
logged: env values could be in it.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from backgroundtask.aws.refusal import Refusal
from backgroundtask.aws.refusals import DENIED, REFUSALS
from backgroundtask.errors import Blocked, Busy, Expected, Rejected
from backgroundtask.plan.outcome import plain

_NO_CREDENTIALS_ADVICE = (
    "There are no AWS credentials: give the operator's service account a role; a person logs in (`aws sso login`), or "
    "sets AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)
_NO_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound,
    exceptions.ConfigNotFound,
    exceptions.SSOError,
    exceptions.LoginError,
    exceptions.TokenRetrievalError,
)
_NO_SOURCE = (exceptions.CredentialRetrievalError, exceptions.MetadataRetrievalError)
_NO_ANSWER = (
    exceptions.HTTPClientError,
    exceptions.ConnectionError,
    exceptions.IncompleteReadError,
    ResponseParserError,  # a body cut short, or a proxy's page
)

_SHORTEST_SECRET = 5  # shorter values are in too many words to be cut out of a sentence
_CUT = "…"
_NOISE = (  # what AWS adds to a sentence and what differs from call to call
    (re.compile(r"Value '.*' at '", re.DOTALL), f"Value '{_CUT}' at '"),  # greedy: a value may hold any of these words
    (re.compile(r"Value '(?!…' at ').*", re.DOTALL), f"Value '{_CUT}"),  # the rest of a sentence that AWS cut short
    (re.compile(r"\s*Encoded authorization failure message: \S+"), ""),
    (re.compile(r"\s*\((?:Service|RequestId|Request ID)\b[^)]*\)"), ""),
    (re.compile(r",?\s*\bRequest ?ID: [\w-]+", re.IGNORECASE), ""),
    (re.compile(r"(:assumed-role/[^/\s]+)/[^\s:]+"), r"\1"),  # the session of a role is another in every pod
)
_NO_RATE = re.compile("too many concurrent attempts|provisioning quota", re.IGNORECASE)
_DENIAL = re.compile(
    r"(?:User: )?(?P<who>\S+) is not authorized to perform: (?P<action>[\w*-]+:[\w*-]+)"
    r"(?: on resource: (?P<what>\S+))?(?: (?:because|with) (?P<why>.+))?"
)


@contextmanager
def translated(*, private: Iterable[str] = ()) -> Iterator[None]:
    """Run calls to AWS; also a decorator, `@translated()`. `private` are values that may appear in no error.

    Raises:
        Rejected, Blocked, Busy: as the tables say, chained to botocore's error.
        ClientError, BotoCoreError: what no table knows, a bug; without what AWS quoted.
    """
    try:
        yield
    except ClientError as error:
        known = _answered(error, tuple(private))
        if known is None:
            raise
        raise known from error
    except (BotoCoreError, ResponseParserError) as error:
        _hush(error)
        unanswered = _unanswered(error)
        if unanswered is None:
            raise
        raise unanswered from error


def code_of(error: ClientError) -> str:
    """AWS's name for the error, or the HTTP status where it has none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_throttle(code: str, text: str) -> bool:
    """Whether AWS limits how often it may be called; not a race for one family, nor what Fargate has room for."""
    row = next((one for one in REFUSALS if one.fits(code=code, text=text, operation="", status=0)), None)
    return row is not None and row.reason == "Throttled" and _NO_RATE.search(text) is None


def _answered(error: ClientError, private: tuple[str, ...]) -> Expected | None:
    code, operation = code_of(error), error.operation_name
    raw = error.response.get("Error", {}).get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    said = _without_noise(raw)
    row = next((one for one in REFUSALS if one.fits(code=code, text=said, operation=operation, status=status)), None)
    # A denial quotes ARNs only, and they have to stay whole.
    text = said if code in DENIED else _without_noise(_without_values(raw, private))
    _rewrite(error, text)
    return None if row is None else _made(row, operation=operation, text=_sentence(text, operation))


def _made(row: Refusal, *, operation: str, text: str) -> Expected:
    message = row.message.format(operation=operation, text=text)
    if row.kind is Busy:
        return Busy(row.reason, message, retry_after=row.retry_after)
    return row.kind(row.reason, message)


def _unanswered(error: Exception) -> Expected | None:
    if isinstance(error, exceptions.InvalidRegionError):
        return Rejected("InvalidRegion", "spec.region of the LaunchTemplate is no AWS region: correct it.")
    if isinstance(error, _NO_CREDENTIALS):
        return Blocked("NoCredentials", _NO_CREDENTIALS_ADVICE)
    if isinstance(error, _NO_SOURCE):
        return Busy("CredentialsUnavailable", "The source of the AWS credentials does not answer.")
    if isinstance(error, _NO_ANSWER):
        return Busy("AwsUnreachable", f"AWS does not answer{_where(error)}.", retry_after=5.0)
    return None


def _where(error: Exception) -> str:
    """The endpoint without path and query, which hold names."""
    url = urlsplit(str(getattr(error, "kwargs", {}).get("endpoint_url", "")))
    return f" at {url.scheme}://{url.netloc}" if url.netloc else ""


def _sentence(text: str, operation: str) -> str:
    """AWS's words for a person: who has to be granted what, or the sentence as it is, on one line and with its stop."""
    denied = _DENIAL.search(text)
    if denied is None:
        words = plain(text).rstrip(". ") or f"nothing more about {operation}"
        return f"{words}."
    who, action, what, why = denied.group("who", "action", "what", "why")
    grant = f"Grant {action} on {what.rstrip('.') if what else '*'} to {who}"
    return f"{plain(f'{grant}: {why}' if why else grant).rstrip('. ')}."


def _without_noise(text: str) -> str:
    for pattern, instead in _NOISE:
        text = pattern.sub(instead, text)
    return text


def _without_values(text: str, private: tuple[str, ...]) -> str:
    for value in sorted(private, key=len, reverse=True):
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, _CUT).replace(json.dumps(value)[1:-1], _CUT)
    return text


def _rewrite(error: ClientError, text: str) -> None:
    """The error goes on as a cause or as a bug, and its text into a log."""
    error.response.setdefault("Error", {})["Message"] = text
    error.args = (f"{code_of(error)} when calling {error.operation_name}: {text}",)
    for key in ("message", "Message"):  # modeled errors hold the text twice
        error.response.pop(key, None)  # type: ignore[misc]  # the typed dict knows no modeled members


def _hush(error: Exception) -> None:
    """Validation by botocore quotes the value that it finds wrong, and its parsers the body that they cannot read."""
    if isinstance(error, exceptions.ParamValidationError):
        where = str(error).partition(", value:")[0]
        error.args = (where,)
        error.kwargs["report"] = where
    if isinstance(error, ResponseParserError):
        error.args = ("The answer of AWS cannot be read",)

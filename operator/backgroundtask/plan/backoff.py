"""How long to wait before the next try: doubled each time, up to a limit. No chance in it: one run is no herd."""

from datetime import timedelta

_FIRST = timedelta(seconds=10)
_LONGEST_RETRY = timedelta(minutes=6)  # Job's (Kubernetes documentation, "Pod backoff failure policy")
_LONGEST_LAUNCH = timedelta(minutes=5)
_DOUBLINGS = 16  # far beyond both limits, and no number that a timedelta cannot hold


def retry_delay(failed_attempts: int) -> timedelta:
    """The time between the end of the attempt that failed as the n-th (from 1) and the next launch."""
    return min(_doubled(failed_attempts), _LONGEST_RETRY)


def launch_delay(failures: int) -> timedelta:
    """The time between the n-th launch in a row (from 1) that AWS refused, and the next one."""
    return min(_doubled(failures), _LONGEST_LAUNCH)


def _doubled(times: int) -> timedelta:
    return _FIRST * (1 << min(max(times, 1) - 1, _DOUBLINGS))

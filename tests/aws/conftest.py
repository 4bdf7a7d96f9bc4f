"""Whom the contract of AWS is asked of: localaws, or with --account the account of the environment.

Knows the option, and which tests an account can be asked; docs/localaws.md tells how.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from fixtures import real_account
from fixtures.waiting import PACE
from localaws.markers import MARKERS, ONLY

CALLER = pytest.StashKey[tuple[boto3.Session, str, str]]()
LEFT_OUT = pytest.StashKey[Counter[str]]()
ACCOUNT_SECONDS = 600.0
ACCOUNT_PAUSE = 2.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--account",
        action="store_true",
        help="ask the AWS account of the environment what the contract's tests ask localaws; it costs a little, and "
        "what is made is deleted again: docs/localaws.md",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Without a default it would not do where this file is found too late to add its option: in `pytest .`
    if not config.getoption("--account", default=False):
        return
    session = boto3.Session(region_name=os.environ.get("AWS_REGION"))  # which boto3 does not read by itself
    try:
        number, place = real_account.caller(session)
    except real_account.NoAccountError as e:
        raise pytest.UsageError(str(e)) from e
    config.stash[CALLER] = (session, number, place)
    PACE.patience, PACE.pause = ACCOUNT_SECONDS, ACCOUNT_PAUSE


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--account", default=False):
        return
    reasons = {item: _why_not(item) for item in items}
    config.stash[LEFT_OUT] = Counter(filter(None, reasons.values()))
    config.hook.pytest_deselected(items=[item for item, why in reasons.items() if why])
    items[:] = [item for item in items if not reasons[item]]


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    if CALLER not in config.stash:
        return []
    _, number, place = config.stash[CALLER]
    left_out = ", ".join(f"{count} {why}" for why, count in sorted(config.stash[LEFT_OUT].items()))
    return [f"account {number} in {place} is asked {len(items)} tests; left out: {left_out or 'none'}"]


@pytest.fixture
def aws(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A localaws as if just started, or the account under names of its own."""
    if CALLER not in request.config.stash:
        running = request.getfixturevalue("localaws_process")
        running.reset()
        yield running
        return
    session, number, place = request.config.stash[CALLER]
    with real_account.opened(session, number=number, place=place) as account:
        yield account


def _why_not(item: pytest.Item) -> str:
    """Why an account is not asked this; nothing where it is."""
    if item.get_closest_marker(ONLY) is not None:
        return "marked localaws_only"
    sources = [marker for marker in MARKERS if item.get_closest_marker(marker) is not None]
    return "" if sources else "without a source"

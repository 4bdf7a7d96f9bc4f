"""What holds for every test: unit tests see no network and end within seconds; the fixtures that all folders share.

Knows nothing of what is tested. A test under tests/unit that needs longer says so with its own `timeout` marker.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["fixtures.aws", "fixtures.kube", "fixtures.world"]

UNIT = Path(__file__).parent / "unit"
UNIT_SECONDS = 10

# How fast a law holds is no part of it, and a busy machine no reason to fail. The same code gets the same examples, so
# that a change is judged by what it changed; `--hypothesis-profile=search` looks where nobody has looked yet.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("search", settings.get_profile("patient"), derandomize=False)
settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)  # before pytest-socket reads it
def pytest_configure(config: pytest.Config) -> None:
    # asyncio's event loop wakes itself through a pair of Unix sockets; they reach nobody.
    config.option.allow_unix_socket = True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(UNIT):
            continue
        item.add_marker(pytest.mark.disable_socket)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(UNIT_SECONDS))

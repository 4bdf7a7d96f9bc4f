"""A world in memory for each test: a template and a task that are ready, and a process with nothing to do."""

import pytest

from fixtures.fake_world import World, settled


@pytest.fixture
def world() -> World:
    return settled()


@pytest.fixture
def bare() -> World:
    """A template that is ready, and no task yet."""
    made = World()
    made.furnish()
    made.start().work()
    return made

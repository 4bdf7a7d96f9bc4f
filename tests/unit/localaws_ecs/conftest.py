"""An ECS of its own for each test."""

from collections.abc import Iterator

import pytest

from fixtures.ecs_world import Ecs


@pytest.fixture
def ecs() -> Iterator[Ecs]:
    client = Ecs()
    yield client
    client.close()

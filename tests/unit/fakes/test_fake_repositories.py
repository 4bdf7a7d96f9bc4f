"""The ECR in memory keeps the promises of the real adapter."""

import pytest

from backgroundtask.aws import Cloud
from fixtures.fake_account import Account
from fixtures.fake_clouds import FakeClouds
from fixtures.fake_world import Clock
from fixtures.repository_contract import RepositoryContract
from fixtures.trace import Trace


class TestFakeRepositories(RepositoryContract):
    @pytest.fixture
    def cloud(self) -> Cloud:
        return FakeClouds(Account(Clock()), Trace()).cloud

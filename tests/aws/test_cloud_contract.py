"""The adapters over localaws keep the promises that tests in memory count on."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from backgroundtask.aws import Cloud, Clouds, Pacing
from fixtures.cloud_contract import EcsContract, QueueContract, SchedulerContract
from fixtures.fake_clouds import UNHURRIED
from fixtures.objects import REGION
from fixtures.rules_contract import RulesContract
from localaws.running import Running


class TestRealCloud(EcsContract, SchedulerContract, RulesContract, QueueContract):
    @pytest.fixture
    def cloud(self, aws: Running, monkeypatch: pytest.MonkeyPatch) -> Cloud:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        services = {"Service": ["scheduler.amazonaws.com", "events.amazonaws.com"]}
        allowed = {"Principal": services, "Effect": "Allow", "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        aws.client("iam").create_role(RoleName="scheduler", AssumeRolePolicyDocument=trust)
        aws.client("ecs").create_cluster(clusterName="jobs")
        return Clouds(installation="test", pacing=Pacing(UNHURRIED)).of(
            region=REGION, assume_role_arn=None, template="default"
        )

    @pytest.fixture
    def queue(self, aws: Running) -> str:
        aws.client("sqs").create_queue(QueueName="events", Attributes={"VisibilityTimeout": "45"})
        return f"arn:aws:sqs:{aws.region}:{aws.account}:events"

    @pytest.fixture
    def missing(self, aws: Running) -> str:
        return f"arn:aws:sqs:{aws.region}:{aws.account}:of-nobody"

    @pytest.fixture
    def send(self, aws: Running, queue: str) -> Callable[[str], None]:
        def put(text: str) -> None:
            sqs = aws.client("sqs")
            url = sqs.get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=text)

        return put

"""How AWS spells its names and ARNs, as far as users write them.

Shapes only: whether a thing exists is known above. Partitions other than `aws` are taken as they come.
"""

from typing import Annotated

from pydantic import StringConstraints

from backgroundtask.api.rules import shaped

PARTITION = "arn:aws(-[a-z]+)*"

RoleArn = Annotated[
    str,
    StringConstraints(min_length=1, max_length=640),
    shaped(
        PARTITION + ":iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+",
        "must be the ARN of an IAM role: arn:aws:iam::111122223333:role/name",
    ),
]
SubnetId = Annotated[
    str,
    StringConstraints(max_length=24),
    shaped("subnet-[0-9a-f]{8,17}", "must be the id of a subnet: subnet-0123456789abcdef0"),
]
SecurityGroupId = Annotated[
    str,
    StringConstraints(max_length=20),
    shaped("sg-[0-9a-f]{8,17}", "must be the id of a security group: sg-0123456789abcdef0"),
]
QueueArn = Annotated[
    str,
    StringConstraints(max_length=256),
    shaped(
        PARTITION + ":sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}",
        "must be the ARN of a standard SQS queue: arn:aws:sqs:eu-west-1:111122223333:name",
    ),
]
LogGroupName = Annotated[
    str,
    StringConstraints(max_length=512),
    shaped("[A-Za-z0-9._/#-]+", "must be the name of a log group: letters, digits and . _ / # -"),
]

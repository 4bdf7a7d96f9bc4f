"""Amazon ECS on Fargate as localaws plays it: definitions, clusters, tasks that really run as local processes.

Knows the rules of ECS; knows nothing of HTTP, of moto, or of whoever calls. Every rule taken from AWS bears one of
three marks where it stands, in a comment or a docstring:

- `documented: <where>`: said by AWS's documentation or by botocore's model of the API ("API: <Shape.member>");
- `reported: <where>`: seen by people in the field, most often the wording of a message;
- `assumed: <what>`: neither; what a reasonable reading suggests. These are the ones to check against an account.
"""

from localaws.ecs.life import Pace
from localaws.ecs.service import EcsService

__all__ = ["EcsService", "Pace"]

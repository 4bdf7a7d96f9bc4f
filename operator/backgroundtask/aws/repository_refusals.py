"""The part of the table in `refusals` that only Amazon ECR answers.

Source: the "Errors" sections of the Amazon ECR API Reference (also in botocore's service model). What it answers as
other services do (LimitExceededException, ServerException, denials, throttles) is in the other parts.
"""

from backgroundtask.aws.refusal import INVALID, Refusal, words
from backgroundtask.errors import Blocked, Busy, Rejected

ABOUT_REPOSITORIES: tuple[Refusal, ...] = (
    Refusal(
        Busy,
        "RepositoryExists",
        "An ECR repository of this name exists already: it is looked at before anything is changed.",
        codes=words("RepositoryAlreadyExistsException"),
    ),
    Refusal(
        Busy,
        "RepositoryVanished",
        "The ECR repository was deleted while it was being looked at.",
        codes=words("RepositoryNotFoundException"),
    ),
    Refusal(
        Blocked,
        "RepositoryTagsRefused",
        "ECR does not accept spec.tags of the LaunchTemplate beside the tags that the repository has: take some away. "
        "AWS says: {text}",
        codes=words("InvalidTagParameterException TooManyTagsException"),
    ),
    Refusal(
        Blocked,
        "RepositoryKeyUnusable",
        "The KMS key of the repository cannot be used: {text}",
        codes=words("KmsException"),
    ),
    Refusal(
        Rejected,
        "InvalidRepository",
        "ECR does not accept the repository. AWS says: {text}",
        codes=INVALID,
        operations=words(
            "CreateRepository DescribeRepositories DeleteRepository PutImageScanningConfiguration "
            "GetLifecyclePolicy PutLifecyclePolicy DeleteLifecyclePolicy"
        ),
    ),
)

"""What a LaunchTemplate offers to the tasks of a namespace: yes or no. What a no means is said elsewhere."""

import re

from backgroundtask.api.template import TemplateSpec

_ARN_PARTS = 7  # arn:aws:secretsmanager:region:account:secret:name, before :json-key:version-stage:version-id


def lets_in(template: TemplateSpec, namespace: str) -> bool:
    """Whether a namespace may use it. An empty list is nobody, `*` is everybody."""
    return namespace in template.namespaces or "*" in template.namespaces


def offers_role(template: TemplateSpec, arn: str | None) -> bool:
    """Whether containers may run as a role, by its ARN; None is no role."""
    return arn is None or arn in template.task_roles.values()


def offers_image(template: TemplateSpec, namespace: str, image: str) -> bool:
    """Whether an image may be run; without patterns each may. A path that climbs is no image's."""
    if ".." in image.split("/"):
        return False
    return not template.images or _matches_one(template.images, namespace, image)


def offers_secret(template: TemplateSpec, namespace: str, reference: str) -> bool:
    """Whether ECS may read a secret or a parameter for a task; without patterns none.

    Judged is the secret, not which key or version of it: these are the user's words, and with them an ARN could be
    continued until it looks like one of another secret.
    """
    return _matches_one(template.secrets, namespace, ":".join(reference.split(":")[:_ARN_PARTS]))


def offers_file_system(template: TemplateSpec, file_system: str) -> bool:
    """Whether a file system may be mounted, by its id."""
    return file_system in template.file_systems or "*" in template.file_systems


def _matches_one(patterns: tuple[str, ...], namespace: str, text: str) -> bool:
    return any(_matches(pattern.replace("{namespace}", namespace), text) for pattern in patterns)


def _matches(pattern: str, text: str) -> bool:
    """`*` stands for any characters; nothing else is special, so that an ARN can be copied as it is."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.DOTALL) is not None

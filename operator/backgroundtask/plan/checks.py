"""What a LaunchTemplate lets a task and a run ask for: sizes, images, roles, file systems, a shell.

Asked at each reconcile for the task and at each launch by the operator for the run, since what was allowed when it was
made may be no longer. Each refusal says what to change, and names no value of a variable.
"""

import difflib
from typing import TYPE_CHECKING

from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task import TaskSpec
from backgroundtask.errors import Rejected

if TYPE_CHECKING:
    from backgroundtask.plan.desired import Site


def refuse_task(namespace: str, spec: TaskSpec, site: "Site") -> None:
    """Refuse a task that asks for more than its template offers to its namespace.

    Raises:
        Rejected: LimitExceeded, ImageNotAllowed, FileSystemNotAllowed, ExecuteCommandNotAllowed or TaskRoleRequired.
    """


def refuse_launch(run: BackgroundTaskRun, *, namespace: str, spec: TaskSpec, site: "Site") -> None:
    """Refuse a launch of a run with its overrides.

    Raises:
        Rejected: what `refuse_task` raises, NamespaceNotAllowed, TaskRoleNotOffered, SecretNotAllowed,
            InvalidFargateSize, ItemRequired, UnknownItem or OverridesTooLong.
    """


def offered_role(name: str | None, site: "Site") -> str | None:
    """The ARN of the role that a template offers by this name.

    Raises:
        Rejected: TaskRoleNotOffered.
    """
    if name is None:
        return None
    offered = site.spec.task_roles
    if name in offered:
        return offered[name]
    near = difflib.get_close_matches(name, offered, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it offers {', '.join(sorted(offered)) or 'none'}."
    raise Rejected("TaskRoleNotOffered", f"LaunchTemplate {site.template} offers no task role named {name}: {hint}")

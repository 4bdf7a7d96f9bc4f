"""Whether a LaunchTemplate allows a launch in the moment in which ECS is asked for it, the first time or once more.

What was allowed when a run, a revision or a request was made may be no longer. What is to be checked of a task and of
overrides, `checks` knows.
"""

import json

from backgroundtask.api.overrides import Overrides
from backgroundtask.api.run import BackgroundTaskRun, LaunchRecord
from backgroundtask.api.task import TaskSpec
from backgroundtask.errors import Rejected
from backgroundtask.plan.checks import offered_role, refuse_launch, refuse_namespace, refuse_size
from backgroundtask.plan.desired import allows
from backgroundtask.plan.identity import slot_of_run
from backgroundtask.plan.observed import Revision
from backgroundtask.plan.offers import offers_role
from backgroundtask.plan.site import Site


def role_of_launch(run: BackgroundTaskRun, *, spec: TaskSpec, site: Site, revision: Revision) -> str | None:
    """The ARN of the role that a run asks for instead of its task's.

    Who asks for a run means the spec as it stands. A slot goes on with the last good revision while a spec is refused,
    as it does where the schedule itself launches; so of it the revision is judged, and not the spec.

    Raises:
        Rejected: the template does not allow the launch, or no longer.
    """
    namespace, overrides = run.metadata.namespace, run.spec.overrides
    if slot_of_run(run) is None or overrides is not None:
        refuse_launch(run, namespace=namespace, spec=spec, site=site)
    refuse_namespace(namespace, site.template, site.spec)
    _refuse_revision(run, site, revision)
    return offered_role(overrides.task_role if overrides else None, site)


def revision_of(launch: LaunchRecord) -> str:
    """The ARN of the revision that a frozen launch starts."""
    return str(json.loads(launch.request)["taskDefinition"])


def refuse_repetition(run: BackgroundTaskRun, launch: LaunchRecord, *, site: Site, revision: Revision) -> None:
    """Refuse to ask for a frozen launch once more: it may start only now what is no longer allowed.

    Raises:
        Rejected: NamespaceNotAllowed, LimitExceeded or RightRevoked.
    """
    refuse_namespace(run.metadata.namespace, site.template, site.spec)
    _refuse_revision(run, site, revision)
    if not offers_role(site.spec, json.loads(launch.request)["overrides"].get("taskRoleArn")):
        raise Rejected("RightRevoked", f"LaunchTemplate {site.template} no longer offers the task role of the run.")


def _refuse_revision(run: BackgroundTaskRun, site: Site, revision: Revision) -> None:
    overrides = run.spec.overrides or Overrides()
    refuse_size(overrides.cpu or revision.cpu or 0, overrides.memory or revision.memory or 0, site)
    if not allows(site, run.metadata.namespace, revision):
        name = revision.arn.rpartition("/")[2]
        raise Rejected(
            "RightRevoked", f"LaunchTemplate {site.template} no longer offers what task definition {name} uses."
        )

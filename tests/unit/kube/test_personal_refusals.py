"""What a person at a command line is told where the API server refuses: what is theirs to do, and no value."""

import pytest

from backgroundtask.errors import Blocked, Busy, Expected, Rejected
from backgroundtask.kube.refusal import personal_refusal
from backgroundtask.kube.resource import TASKS, Ref
from fixtures.objects import task_object
from fixtures.scripted_rest import Reply, ScriptedRest, kube_over, not_found, status

CANARY = "canary-secret"
OBJECT = task_object(env=[{"name": "TOKEN", "value": CANARY}])
CAUSE = {"reason": "FieldValueInvalid", "field": "spec.env[0].value", "message": f'Invalid value: "{CANARY}"'}
DENIED = 'backgroundtasks is forbidden: User "ann" cannot create resource "backgroundtasks"'


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (status(401, "Unauthorized", "Unauthorized"), Blocked, "log in to the cluster again"),
        (status(403, "Forbidden", DENIED), Blocked, "You may not create backgroundtasks in namespace reports"),
        (status(403, "Forbidden", DENIED), Blocked, "`kubectl auth can-i create backgroundtasks.bgtask.dev`"),
        (status(422, "Invalid", CANARY, name="nightly", causes=[CAUSE]), Rejected, "spec.env[0].value"),
        (status(400, "BadRequest", CANARY), Rejected, "it names no field"),
        (Reply(413, "Request entity too large"), Rejected, "413"),
        (status(422, "Invalid", "", causes=[{"message": "no latest"}]), Blocked, "It says: no latest"),
        (status(403, "Forbidden", "denied by webhook"), Blocked, "admission policy of namespace reports"),
        (status(403, "Forbidden", causes=[{"reason": "NamespaceTerminating"}]), Blocked, "is being deleted"),
        (status(403, "Forbidden", "exceeded quota: runs"), Blocked, "ResourceQuota of namespace reports"),
        (not_found("reports", "namespaces"), Blocked, "Namespace reports does not exist"),
        (Reply(404, "404 page not found\n"), Blocked, "install the CRDs"),
        (status(429, "TooManyRequests"), Busy, "limits its callers"),
        (status(500, "InternalError"), Busy, "the API server answers 500"),
    ],
)
def test_a_refusal_is_the_persons_and_quotes_nothing(reply: Reply, kind: type[Expected], says: str) -> None:
    kube = kube_over(ScriptedRest(reply), words=personal_refusal)

    with pytest.raises(kind) as refused:
        kube.create(TASKS, OBJECT)

    assert says in refused.value.message
    assert CANARY not in refused.value.message
    assert "the operator from" not in refused.value.message
    assert "ServiceAccount" not in refused.value.message


def test_a_spec_that_the_schema_refuses_in_a_patch_is_the_persons_too() -> None:
    refused = status(422, "Invalid", CANARY, name="nightly", causes=[CAUSE])
    kube = kube_over(ScriptedRest(refused), words=personal_refusal)

    with pytest.raises(Rejected, match=r"refuses to patch this BackgroundTask: 422 Invalid: spec\.env\[0\]"):
        kube.patch(Ref.of(TASKS, OBJECT), {"spec": {"env": []}})

"""What an ImageRepository asks of ECR against what ECR holds: the steps that lead from one to the other.

    what is there               | what follows
    ----------------------------+-----------------------------------------------------------------------------
    nothing, name of the        | Create, then Trim where images are to be trimmed
      namespace                 |
    nothing, any other name     | refused: who may create `team-b/api` could have team-b run his images
    our mark                    | a step for each thing that differs; nothing where nothing does
    no mark, or another's       | refused, with the tag that hands it over

The tag `bgtask.dev/owner` is the proof of ownership; nothing without it is ever changed or deleted. Setting it takes
rights in AWS, so whoever sets it also answers for a name outside of the namespace. Pure.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from backgroundtask.api.repository import RepositorySpec
from backgroundtask.errors import Rejected
from backgroundtask.plan.checks import refuse_namespace
from backgroundtask.plan.definition import OWNER_TAG, RETAINED_TAG, UID_TAG
from backgroundtask.plan.names import Owner
from backgroundtask.plan.site import Site

_DESCRIPTION = "bgtask.dev: keep the newest images"
"""What marks a lifecycle rule as keepImages' own."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The lifecycle policy that keepImages stands for: the newest images are kept, whatever their tags."""

    count: int


@dataclass(frozen=True, slots=True)
class Foreign:
    """A lifecycle policy that somebody else wrote."""


Lifecycle = Newest | Foreign | None
"""What a repository does about old images; None: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an ImageRepository asks for. `tags` are all that the repository has to bear, our marks among them."""

    name: str
    owner: Owner
    keep: Newest | None
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A repository as ECR holds it."""

    name: str
    arn: str
    uri: str
    scans_on_push: bool
    lifecycle: Lifecycle = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> str | None:
        """The mark of whoever has it; None where it bears none."""
        return self.tags.get(OWNER_TAG)


@dataclass(frozen=True, slots=True)
class Create:
    """Make it, with its tags and scan-on-push."""

    name: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Tag:
    """Set these tags; others stay."""

    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Scan:
    """Have images scanned when they are pushed."""


@dataclass(frozen=True, slots=True)
class Trim:
    """Keep the newest images, in place of whatever policy there is."""

    keep: Newest


@dataclass(frozen=True, slots=True)
class KeepAll:
    """Remove the policy that keepImages once set."""


Step = Create | Tag | Scan | Trim | KeepAll


def wish(owner: Owner, uid: str, spec: RepositorySpec, site: Site) -> Wish:
    """What has to be there for an ImageRepository `owner`.

    Raises:
        Rejected: NamespaceNotAllowed.
    """
    refuse_namespace(owner.namespace, site.template, site.spec)
    return Wish(
        name=repository_name(owner, spec.name),
        owner=owner,
        keep=Newest(spec.keep_images) if spec.keep_images is not None else None,
        tags={**site.spec.tags, OWNER_TAG: str(owner), UID_TAG: uid},
    )


def repository_name(owner: Owner, given: str | None) -> str:
    """The name in ECR: what the spec says, or `<namespace>/<name>`."""
    return given or f"{owner.namespace}/{owner.name}"


def plan(wanted: Wish, held: Held | None) -> tuple[Step, ...]:
    """The steps, in order; none where everything is as wanted.

    Raises:
        Rejected: NotOwned or NameNotAllowed.
    """
    if held is None:
        _refuse_name(wanted)
        trim = (Trim(wanted.keep),) if wanted.keep else ()
        return Create(wanted.name, wanted.tags), *trim
    _refuse_stranger(wanted, held)
    return *_tagging(wanted, held), *(() if held.scans_on_push else (Scan(),)), *_trimming(wanted, held)


def is_ours(held: Held, owner: Owner) -> bool:
    """Whether it may be changed and deleted for that object."""
    return held.owner == str(owner)


def lifecycle_text(keep: Newest) -> str:
    """The policy as ECR takes it (Amazon ECR User Guide, "Lifecycle policy properties")."""
    rule = {
        "rulePriority": 1,
        "description": _DESCRIPTION,
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": keep.count},
        "action": {"type": "expire"},
    }
    return json.dumps({"rules": [rule]}, sort_keys=True)


def lifecycle_of(text: str) -> Newest | Foreign:
    """What a policy says, in our words: ECR may order and space it anew."""
    try:
        policy = json.loads(text)
        [rule] = policy["rules"]
        count = rule["selection"]["countNumber"]
        ours = json.loads(lifecycle_text(Newest(count)))
    except (ValueError, LookupError, TypeError):
        return Foreign()
    is_as_we_write_it = isinstance(count, int) and not isinstance(count, bool) and policy == ours
    return Newest(count) if is_as_we_write_it else Foreign()


def _refuse_name(wanted: Wish) -> None:
    namespace = wanted.owner.namespace
    if not wanted.name.startswith(f"{namespace}/"):
        raise Rejected(
            "NameNotAllowed",
            f"There is no ECR repository {wanted.name}, and from namespace {namespace} only names that begin with "
            f"{namespace}/ are created: name such a one in a new ImageRepository, or have somebody create this one "
            f"with the tag {OWNER_TAG}={wanted.owner}.",
        )


def _refuse_stranger(wanted: Wish, held: Held) -> None:
    if is_ours(held, wanted.owner):
        return
    whose = f"belongs to {held.owner}" if held.owner else f"exists and bears no tag {OWNER_TAG}"
    raise Rejected(
        "NotOwned",
        f"ECR repository {held.name} {whose}: to hand it over, set its tag {OWNER_TAG}={wanted.owner}; or name another "
        "in a new ImageRepository.",
    )


def _tagging(wanted: Wish, held: Held) -> tuple[Tag, ...]:
    taken_back = {RETAINED_TAG: "false"} if held.tags.get(RETAINED_TAG) == "true" else {}
    missing = {key: value for key, value in wanted.tags.items() if held.tags.get(key) != value}
    return (Tag({**missing, **taken_back}),) if missing or taken_back else ()


def _trimming(wanted: Wish, held: Held) -> tuple[Trim | KeepAll, ...]:
    if held.lifecycle == wanted.keep:
        return ()
    if wanted.keep is not None:
        return (Trim(wanted.keep),)
    return (KeepAll(),) if isinstance(held.lifecycle, Newest) else ()

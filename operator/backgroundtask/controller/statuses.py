"""Writing a status: only what the API server holds otherwise, and only on the object that was looked at.

Members that this version does not know are a newer operator's, and stay.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from backgroundtask.api.model import Status
from backgroundtask.api.patches import merge_patch
from backgroundtask.controller.context import Context
from backgroundtask.kube.resource import Body, Ref, Resource


def write_status(context: Context, resource: Resource, raw: Mapping[str, Any], after: Status) -> Body | None:
    """Bring the status of the object that `raw` shows to `after`; None where nothing differs, or the object is gone.

    Raises:
        Busy: Conflict, where it is no longer as `raw` shows it.
    """
    patch = difference(raw.get("status") or {}, after)
    written = context.kube.patch_status(Ref.of(resource, raw, fenced=True), patch) if patch else None
    if written is not None:
        context.cache.put(resource, written)
    return written


def difference(stored: Mapping[str, JsonValue], after: Status) -> dict[str, JsonValue]:
    """The merge patch from what is stored, defaults included that nobody has written yet."""
    ours = {field.alias for field in type(after).model_fields.values()}
    return merge_patch({key: value for key, value in stored.items() if key in ours}, after.wire())

"""What is accepted and what is refused, by the two judges that need no server: the models and the CEL rules."""

import pytest

from backgroundtask.api import parsing
from backgroundtask.errors import Rejected
from fixtures.admission import completed, refusals
from fixtures.api_cases import ACCEPTED, CHANGES_ACCEPTED, CHANGES_REFUSED, REFUSED, Case, Json

PARSERS = {
    "BackgroundTask": parsing.parse_task,
    "BackgroundTaskRun": parsing.parse_run,
    "LaunchTemplate": parsing.parse_template,
    "ImageRepository": parsing.parse_repository,
}


def parse(obj: Json) -> object:
    return PARSERS[obj["kind"]](obj)


def rejection(obj: Json) -> Rejected:
    with pytest.raises(Rejected) as caught:
        parse(obj)
    return caught.value


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.why)
def test_both_judges_accept(case: Case) -> None:
    assert not refusals(case.obj)
    assert parse(case.obj)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.why)
def test_both_judges_refuse(case: Case) -> None:
    assert refusals(case.obj)
    assert rejection(case.obj).reason == "InvalidSpec"


@pytest.mark.parametrize("case", [case for case in REFUSED if " " in case.refused], ids=lambda case: case.why)
def test_both_judges_say_the_same(case: Case) -> None:
    assert case.refused in "; ".join(refusals(case.obj))
    assert case.refused in rejection(case.obj).message


@pytest.mark.parametrize(("why", "old", "new", "refused"), CHANGES_REFUSED)
def test_what_is_immutable_does_not_change(why: str, old: Json, new: Json, refused: str) -> None:
    sentences = refusals(new, old)

    assert refused in "; ".join(sentences), why


@pytest.mark.parametrize(("why", "old", "new"), CHANGES_ACCEPTED)
def test_what_is_mutable_changes(why: str, old: Json, new: Json) -> None:
    assert not refusals(new, old), why


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.why)
def test_an_absent_field_means_the_default_of_the_crd_to_the_models_too(case: Case) -> None:
    assert parse(case.obj).spec == parse(completed(case.obj)).spec  # type: ignore[attr-defined] # one of three kinds


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.why)
def test_what_is_written_back_is_read_as_the_same(case: Case) -> None:
    thing = parse(case.obj)

    again = parse({**case.obj, "spec": thing.spec.wire()})  # type: ignore[attr-defined] # one of three kinds

    assert again == thing

"""docs/api.md is what the models say."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from backgroundtask.api.crds import KINDS
from backgroundtask.api.reference import reference
from backgroundtask.cli.main import main

PAGE = Path(__file__).parents[3] / "docs" / "api.md"


def test_the_page_is_that_of_the_models() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run `bgt crd --docs > docs/api.md`"


def test_the_command_prints_the_page() -> None:
    assert CliRunner().invoke(main, ["crd", "--docs"]).stdout == reference()


def test_every_field_of_every_kind_has_a_row() -> None:
    rows = [line.split("`")[1] for line in reference().splitlines() if line.startswith("| `")]

    for kind in KINDS:
        for part in ("spec", "status"):
            model = kind.model.model_fields[part].annotation
            assert model is not None
            names = {field.alias or name for name, field in model.model_fields.items()}
            assert names <= set(rows), kind.name


def test_no_row_is_broken_by_what_it_quotes() -> None:
    tables = [line for line in reference().splitlines() if line.startswith("|")]

    assert {line.replace("\\|", "").count("|") for line in tables} == {4}

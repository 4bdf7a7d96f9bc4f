"""The command line of localaws refuses what makes no sense and says what to change."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from localaws.__main__ import main


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--image", "app"], "'app' is not IMAGE=COMMAND"),
        (["--image", "app="], "'app=' is not IMAGE=COMMAND"),
        (["--image", "app='x"], "is neither a shell command nor a JSON list"),
        (["--image", "app=[1"], "is neither a shell command nor a JSON list"),
        (["--account", "123"], "--account: must be twelve digits"),
        (["--rate", "-1"], "--rate: must not be below 0"),
        (["--port", "http"], "'http' is not a valid integer"),
    ],
)
def test_a_bad_option_is_refused(options: list[str], said: str) -> None:
    result = CliRunner().invoke(main, options)

    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_the_help_shows_how_to_use_and_how_to_drive_it() -> None:
    shown = CliRunner().invoke(main, ["--help"]).output

    for word in ("AWS_ENDPOINT_URL", "journal?service=", "drop-after", "--image IMAGE=COMMAND", '{"advance": 3600}'):
        assert word in shown

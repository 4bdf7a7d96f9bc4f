"""How a command of `bgt` fails: one line on standard error that says what to do, and an exit code for scripts.

Knows the exit codes; refuses to know what the commands do.
"""

from typing import Any, Final

import click

from backgroundtask.errors import Expected

FAILED: Final = 1
"""It could not be done, or a run ended without success and without an exit code. For a wrong call click has 2."""
TIMED_OUT: Final = 124
"""The time given by --timeout is over: the code of timeout(1) of GNU coreutils."""
INTERRUPTED: Final = 130
"""Ctrl-C: 128 + SIGINT, as shells say."""


class Command(click.Command):
    """A command whose expected errors are told as `Error: <sentence>`, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run it."""
        try:
            return super().invoke(ctx)
        except Expected as error:
            raise click.ClickException(error.message) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None

"""`bgt completion`: the script that teaches a shell to complete `bgt`, names of tasks and runs among it."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from backgroundtask.cli.command import Command

PROGRAM: Final = "bgt"


_HELP: Final = """Print the script that completes bgt in SHELL: commands, options, and the names of tasks and runs.

\b
bash:  source <(bgt completion bash)       in ~/.bashrc
zsh:   source <(bgt completion zsh)        in ~/.zshrc, after compinit
fish:  bgt completion fish > ~/.config/fish/completions/bgt.fish
"""


@click.command(cls=Command, help=_HELP, short_help="Print a completion script for a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script, as click makes it."""
    from backgroundtask.cli.main import COMPLETE_VARIABLE, main  # noqa: PLC0415 - main imports the commands

    known = get_completion_class(shell)
    if known is None:
        raise click.ClickException(f"click has no completion for {shell}")
    click.echo(known(main, {}, PROGRAM, COMPLETE_VARIABLE).source())

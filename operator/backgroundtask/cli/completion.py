"""`bgt completion`: the script that teaches a shell to complete `bgt`, names of tasks and runs among it.

`kubectl bgtask` is completed by kubectl's own script, which starts the program `kubectl_complete-bgtask` for it.
"""

import sys
from typing import Final

import click
from click.shell_completion import ShellComplete, get_completion_class

from backgroundtask.cli.command import Command

PROGRAM: Final = "bgt"

_OR_FILES, _NOTHING_ELSE = ":0", ":4"
"""How kubectl is told whether names of files come into question (cobra, ShellCompDirective)."""

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


def complete_plugin() -> None:
    """Print what the last of the arguments may become, as kubectl asks it of a plugin's `kubectl_complete-<name>`.

    The protocol: https://github.com/kubernetes/sample-cli-plugin, "Shell completion".
    """
    from backgroundtask.cli.main import COMPLETE_VARIABLE, main  # noqa: PLC0415 - as above

    *words, begun = sys.argv[1:] or [""]
    found = ShellComplete(main, {}, PROGRAM, COMPLETE_VARIABLE).get_completions(words, begun)
    named = [one for one in found if one.type == "plain"]
    for one in named:
        click.echo(f"{one.value}\t{one.help}" if one.help else one.value)
    click.echo(_NOTHING_ELSE if len(named) == len(found) else _OR_FILES)

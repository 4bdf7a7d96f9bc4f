"""`python -m backgroundtask` is `bgt`."""

from backgroundtask.cli.main import main

main(prog_name="bgt")

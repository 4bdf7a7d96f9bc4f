"""`bgt crd`: the CustomResourceDefinitions, as text for `kubectl apply --server-side -f -` or as files."""

from pathlib import Path

import click


@click.command(short_help="Print the CRDs, or write them into a directory.")
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write one file a CRD into this directory instead of all to standard output.",
)
@click.option("--docs", is_flag=True, help="Print the reference of all fields instead, in Markdown.")
def crd(output_dir: Path | None, *, docs: bool) -> None:
    """Print the CustomResourceDefinitions of bgtask.dev, or write them into a directory."""
    if docs:
        from backgroundtask.api.reference import reference  # noqa: PLC0415 - see below

        click.echo(reference(), nl=False)
        return
    from backgroundtask.api.crds import crd_files  # noqa: PLC0415 - other commands start without building the models

    files = crd_files()
    if output_dir is None:
        click.echo("".join(files.values()), nl=False)
        return
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (output_dir / name).write_text(text, encoding="utf-8")
            click.echo(f"wrote {output_dir / name}", err=True)
    except OSError as error:
        raise click.ClickException(f"cannot write to {output_dir}: {error.strerror}") from error

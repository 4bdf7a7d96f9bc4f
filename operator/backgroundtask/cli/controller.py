"""`bgt controller`: run the operator."""

import logging
import signal
import sys
from typing import Literal, NoReturn

import click

from backgroundtask.errors import Expected


@click.command(context_settings={"auto_envvar_prefix": "BGT", "show_default": True})
@click.option(
    "--installation",
    required=True,
    show_envvar=True,
    envvar="BGT_INSTALLATION",
    help="Name of this installation: 1 to 16 lower-case letters and digits. It is part of every name in AWS; a rebuilt "
    "cluster that keeps it takes over what it owned.",
)
@click.option(
    "--kubeconfig", envvar="BGT_KUBECONFIG", help="Path of a kubeconfig. [default: in-cluster, or KUBECONFIG]"
)
@click.option("--context", envvar="BGT_CONTEXT", help="Context of the kubeconfig. [default: its current one]")
@click.option("--workers", envvar="BGT_WORKERS", default=8, type=int, help="Threads that reconcile.")
@click.option(
    "--resync", envvar="BGT_RESYNC", default=600.0, type=float, help="Seconds between two looks at all of AWS."
)
@click.option(
    "--retire-after",
    envvar="BGT_RETIRE_AFTER",
    default=3600.0,
    type=float,
    help="Seconds that a replaced task definition stays: late firings of its schedule still start it.",
)
@click.option(
    "--metrics-port", envvar="BGT_METRICS_PORT", default=8080, type=int, help="Port of /metrics; 0 serves none."
)
@click.option(
    "--health-port",
    envvar="BGT_HEALTH_PORT",
    default=8081,
    type=int,
    help="Port of /healthz and /readyz; 0 serves none.",
)
@click.option(
    "--task-metrics",
    envvar="BGT_TASK_METRICS",
    is_flag=True,
    help="Tell Prometheus of each task by its name, too: up to ten series a task.",
)
@click.option(
    "--aws-rates",
    envvar="BGT_AWS_RATES",
    default="",
    show_default=False,
    metavar="NAME=BURST/REFILL,...",
    help="What AWS allows the account where its quotas were raised, calls at once and a second: "
    "RegisterTaskDefinition=50/10. The operator stays a step below. [default: as AWS documents]",
)
@click.option(
    "--orphan-sweep",
    envvar="BGT_ORPHAN_SWEEP",
    default="delete",
    type=click.Choice(["off", "report", "delete"]),
    help="What to do about what bears our mark in AWS and has no object.",
)
@click.option(
    "--orphan-grace",
    envvar="BGT_ORPHAN_GRACE",
    default=600.0,
    type=float,
    help="Least seconds between the two sightings after which it is deleted.",
)
@click.option(
    "--adopt",
    envvar="BGT_ADOPT",
    is_flag=True,
    help="Take over schedule groups that bear the mark of another cluster, one that is gone.",
)
@click.option(
    "--leader-elect/--no-leader-elect",
    envvar="BGT_LEADER_ELECT",
    default=True,
    help="Act only while this process holds the Lease; without, it has to be the only one.",
)
@click.option(
    "--lease-namespace",
    envvar="BGT_LEASE_NAMESPACE",
    help="Namespace of the Lease. [default: the pod's own, else default]",
)
@click.option(
    "--lease-duration",
    envvar="BGT_LEASE_DURATION",
    default=15,
    type=int,
    help="Seconds that a standby waits after the leader's last sign of life.",
)
@click.option(
    "--renew-deadline",
    envvar="BGT_RENEW_DEADLINE",
    default=10.0,
    type=float,
    help="Seconds after which a leader that cannot renew the Lease ends; less than --lease-duration.",
)
@click.option(
    "--retry-period",
    envvar="BGT_RETRY_PERIOD",
    default=2.0,
    type=float,
    help="Seconds between two attempts to renew or to take the Lease.",
)
@click.option(
    "--log-level", envvar="BGT_LOG_LEVEL", default="INFO", type=click.Choice(["DEBUG", "INFO", "WARN", "ERROR"])
)
@click.option(
    "--log-format",
    envvar="BGT_LOG_FORMAT",
    default="plain",
    type=click.Choice(["plain", "json"]),
    help="Lines for people, or one JSON object a line for machines.",
)
def controller(log_level: str, log_format: Literal["plain", "json"], **values: object) -> None:
    """Run the operator until SIGTERM.

    Every option can be given as a variable: --retire-after is BGT_RETIRE_AFTER. AWS credentials and AWS_ENDPOINT_URL
    are read as by any AWS program, the API server's from the pod's ServiceAccount or a kubeconfig.
    """
    # The rest of bgt need not load kopf and boto3.
    from backgroundtask.controller.lines import log_lines  # noqa: PLC0415
    from backgroundtask.controller.main import run  # noqa: PLC0415
    from backgroundtask.controller.settings import Settings  # noqa: PLC0415

    for end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end, _end)
    log_lines("WARNING" if log_level == "WARN" else log_level, log_format)
    try:
        sys.exit(run(Settings.of(**values)))
    except Expected as error:
        if log_format == "json":
            told = {"reason": error.reason}
            logging.getLogger("backgroundtask").critical("%s: %s", error.reason, error.message, extra=told)
            sys.exit(1)
        raise click.ClickException(f"{error.reason}: {error.message}") from error


def _end(*_: object) -> NoReturn:
    """What a signal does until kopf listens: the first process of a container is sent none that it does not ask for."""
    sys.exit(0)

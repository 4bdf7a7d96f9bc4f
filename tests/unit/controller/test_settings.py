"""What the controller is told at its start: clear about what it cannot take."""

from datetime import timedelta
from typing import Any

import pytest

from backgroundtask.controller.settings import Settings
from backgroundtask.errors import Rejected


def test_only_the_installation_has_to_be_said() -> None:
    settings = Settings.of(installation="prod", workers=None)

    assert settings.workers == 8
    assert settings.retirement_age == timedelta(hours=1)
    assert not settings.adopt


def test_texts_of_the_environment_are_read() -> None:
    settings = Settings.of(installation="prod", workers="4", resync="60", adopt="true", metrics_port="0")

    assert (settings.workers, settings.resync, settings.adopt, settings.metrics_port) == (4, 60.0, True, 0)


def test_who_acts_is_decided_by_a_lease_unless_it_is_said_otherwise() -> None:
    settings = Settings.of(installation="prod")

    assert settings.leader_elect
    assert (settings.lease_duration, settings.renew_deadline, settings.retry_period) == (15, 10.0, 2.0)
    assert not Settings.of(installation="prod", leader_elect="false").leader_elect


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({}, ["--installation (or BGT_INSTALLATION)"]),
        (
            {"installation": "Prod!"},
            ["--installation (or BGT_INSTALLATION): must be 1 to 16 lower-case letters and digits"],
        ),
        ({"installation": "a" * 17}, ["--installation"]),
        ({"installation": "prod", "workers": 0}, ["--workers (or BGT_WORKERS)"]),
        ({"installation": "prod", "workers": "many", "metrics_port": 70000}, ["--workers", "--metrics-port"]),
        ({"installation": "prod", "resync": 0.5}, ["--resync"]),
        ({"installation": "prod", "resync": "inf"}, ["--resync"]),
        ({"installation": "prod", "resync": 86_401}, ["--resync"]),
        ({"installation": "prod", "retire_after": -1}, ["--retire-after (or BGT_RETIRE_AFTER)"]),
        ({"installation": "prod", "retire_after": "inf"}, ["--retire-after"]),
        ({"installation": "prod", "retire_after": "nan"}, ["--retire-after"]),
        ({"installation": "prod", "retire_after": 1e300}, ["--retire-after"]),
        (
            {"installation": "prod", "aws_rates": "RunTask"},
            ["--aws-rates (or BGT_AWS_RATES): 'RunTask' is not of the form NAME=BURST/REFILL"],
        ),
        ({"installation": "prod", "aws_rates": "Rum=1/1"}, ["--aws-rates", "there is no bucket Rum: name one of Task"]),
        ({"installation": "prod", "orphan_sweep": "maybe"}, ["--orphan-sweep (or BGT_ORPHAN_SWEEP)"]),
        ({"installation": "prod", "orphan_grace": -1}, ["--orphan-grace"]),
        ({"installation": "prod", "health_port": 70000}, ["--health-port"]),
        ({"installation": "prod", "color": "red"}, ["--color"]),
        (
            {"installation": "prod", "lease_namespace": "No_Name"},
            ["--lease-namespace (or BGT_LEASE_NAMESPACE): must be the name of a"],
        ),
        ({"installation": "prod", "lease_duration": 0}, ["--lease-duration"]),
        ({"installation": "prod", "lease_duration": 2.5}, ["--lease-duration"]),
        (
            {"installation": "prod", "lease_duration": 10, "renew_deadline": 10},
            ["--renew-deadline (or BGT_RENEW_DEADLINE): must be less than --lease-duration, which is 10 s"],
        ),
        (
            {"installation": "prod", "renew_deadline": 6, "retry_period": 5},
            ["--retry-period (or BGT_RETRY_PERIOD): 1.2 times it must be less than --renew-deadline, which is 6 s"],
        ),
        (
            {"installation": "prod", "lease_duration": "soon", "renew_deadline": 5, "retry_period": "often"},
            ["--lease-duration", "--retry-period"],
        ),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_named_with_its_flag_and_variable(values: dict[str, Any], names: list[str]) -> None:
    with pytest.raises(Rejected) as refusal:
        Settings.of(**values)

    assert refusal.value.reason == "InvalidSettings"
    assert all(name in refusal.value.message for name in names)

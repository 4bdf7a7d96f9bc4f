"""Which variables make a program talk to one AWS and one cluster, and to no other that the user's shell knows.

Knows variables; starts nothing. The names are those of the AWS SDKs ("AWS SDKs and Tools Reference Guide", settings)
and of kubectl.
"""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import boto3
from botocore.utils import is_valid_endpoint_url, is_valid_ipv6_endpoint_url

from backgroundtask.errors import Rejected

_REGION = "eu-west-1"
_OTHER_PLACES = ("BGT_KUBECONFIG", "BGT_CONTEXT")
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
_PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_NO_PROXY = "127.0.0.1,localhost"


def of_localaws(url: str, region: str) -> dict[str, str]:
    """What makes any SDK talk to a localaws; a proxy must not come between."""
    aws = {"AWS_ENDPOINT_URL": url, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    return {**aws, "AWS_ACCESS_KEY_ID": "localaws", "AWS_SECRET_ACCESS_KEY": "localaws", **_past_proxies()}


def of_foreign_aws(url: str) -> dict[str, str]:
    """What makes any SDK talk to an AWS that somebody else runs, with the user's credentials.

    An emulator takes any credentials, so that there are some where the user has none.

    Raises:
        Rejected: the SDK could not use the URL.
    """
    if not _is_endpoint(url):
        raise Rejected("InvalidEndpoint", f"{url!r} is no endpoint of an AWS: give http:// or https:// and a host.")
    session = boto3.Session()
    region = session.region_name or _REGION
    aws = {"AWS_ENDPOINT_URL": url, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    given = {name: os.environ[name] for name in _CREDENTIALS if name in os.environ}
    if given or session.get_credentials() is not None:
        return {**aws, **given, **_past_proxies()}
    return {**aws, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", **_past_proxies()}


def region() -> str:
    """The region of a localaws: that of the shell, so that other programs there agree."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or _REGION


def with_nothing_foreign(env: Mapping[str, str], *, own_aws: bool) -> dict[str, str]:
    """The whole environment of a program that is to use `env` and nothing else of its kind.

    A profile or a service's own endpoint in the shell would lead past localaws, BGT_KUBECONFIG to another cluster.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _OTHER_PLACES and not (own_aws and name.startswith("AWS_"))
    }
    return {**kept, **env}


def _is_endpoint(url: str) -> bool:
    """Whether it is HTTP with a host and, if any, a port; judges the host as botocore does on each client's making."""
    try:
        parts = urlsplit(url)
        named = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        return named and (is_valid_endpoint_url(url) or is_valid_ipv6_endpoint_url(url))
    except ValueError:  # a port beyond 65535, half an IPv6 address
        return False


def _past_proxies() -> dict[str, str]:
    if not any(os.environ.get(name) for name in _PROXIES):
        return {}
    known = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    wanted = known if known.startswith(_NO_PROXY) else ",".join(filter(None, (_NO_PROXY, known)))
    return {"NO_PROXY": wanted, "no_proxy": wanted}

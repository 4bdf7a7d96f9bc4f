"""How the operator proves to the API server who it is: a ServiceAccount in a pod, a kubeconfig anywhere else.

Knows where credentials are found and that tokens rotate; refuses to know what they are used for. The official client
reads kubeconfigs (contexts, exec plugins, OIDC); the token of a pod is read from its file for each request, because the
client's own refresh goes by the wall clock and misses a rotation when that is set back.
"""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, list_kube_config_contexts, load_kube_config
from kubernetes.config.incluster_config import InClusterConfigLoader

from backgroundtask.errors import Blocked, Busy

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet keeps a pod's token and CA:
https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api"""
DEFAULT_KUBECONFIG: Final = "~/.kube/config"

UNREADABLE: Final = (ConfigException, yaml.YAMLError, OSError, AttributeError, KeyError, TypeError, ValueError)
"""What the client raises on a kubeconfig that is missing, is no YAML, or is YAML of another shape."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What another client needs to log in as we do, now. `token` goes behind `scheme` in the Authorization header."""

    server: str
    ca_path: str | None
    certificate_path: str | None
    private_key_path: str | None
    scheme: str | None
    token: str | None = field(repr=False)
    insecure: bool
    proxy_url: str | None


class Login:
    """The credentials of one process; thread-safe."""

    def __init__(self, configuration: Configuration, *, token_file: Path | None = None) -> None:
        self.configuration = configuration
        self._token_file = token_file
        self._refreshing = threading.Lock()

    def authorization(self) -> str | None:
        """The Authorization header for a request that is sent now, or `None` where certificates do.

        Raises:
            Busy: the token of the pod cannot be read; the kubelet is expected to bring it back.
            Blocked: the kubeconfig's plugin gives no credentials any more.

        """
        if self._token_file is not None:
            return f"Bearer {_read_token(self._token_file)}"
        with self._refreshing:  # the client's refresh, which may start a program, is not made for threads
            return self._from_kubeconfig()

    def credentials(self) -> Credentials:
        """What is valid now: ask again before it is used much later."""
        scheme, _, token = (self.authorization() or "").partition(" ")
        configuration = self.configuration
        return Credentials(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
            scheme=scheme or None,
            token=token or None,
            insecure=not configuration.verify_ssl,
            proxy_url=configuration.proxy,
        )

    def _from_kubeconfig(self) -> str | None:
        try:
            header: str | None = self.configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        except UNREADABLE:
            raise Blocked(
                "CredentialsUnavailable", "The kubeconfig's user gives no credentials any more: log in again"
            ) from None  # the client quotes users with their tokens in its messages
        return header


def own_namespace(service_account: Path = SERVICE_ACCOUNT) -> str:
    """The namespace of the pod that we are; `default` outside of a pod."""
    try:
        return (service_account / "namespace").read_text(encoding="ascii").strip() or "default"
    except (OSError, UnicodeDecodeError):
        return "default"


def context_namespace(
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
    service_account: Path = SERVICE_ACCOUNT,
) -> str:
    """The namespace that kubectl would work in: that of the context, the pod's own in a pod, else `default`.

    Where no kubeconfig can be read it is `default`: `login`, with the same arguments, says what is wrong.
    """
    asked = kubeconfig or environ.get("KUBECONFIG")
    if not (asked or context) and _is_pod(environ, service_account):
        return own_namespace(service_account)
    try:
        known, current = list_kube_config_contexts(asked or DEFAULT_KUBECONFIG)  # type: ignore[no-untyped-call] # the client has no types there
        chosen = next((one for one in known if one["name"] == context), None) if context else current
        return str((chosen or {}).get("context", {}).get("namespace") or "default")
    except UNREADABLE:
        return "default"


def login(
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
    service_account: Path = SERVICE_ACCOUNT,
) -> Login:
    """Find credentials: what was asked for, then KUBECONFIG, then the pod's ServiceAccount, then ~/.kube/config.

    Raises:
        Blocked: there are none, or they cannot be used; the message says what to provide.

    """
    asked = kubeconfig or environ.get("KUBECONFIG")
    if asked or context or not _is_pod(environ, service_account):
        return _kubeconfig(asked or DEFAULT_KUBECONFIG, context)
    return _pod(environ, service_account)


def _is_pod(environ: Mapping[str, str], service_account: Path) -> bool:
    return "KUBERNETES_SERVICE_HOST" in environ and (service_account / "token").is_file()


def _pod(environ: Mapping[str, str], service_account: Path) -> Login:
    configuration, token = Configuration(), service_account / "token"
    files = str(token), str(service_account / "ca.crt")
    try:
        loader = InClusterConfigLoader(*files, try_refresh_token=False, environ=environ)  # type: ignore[no-untyped-call] # the client has no types there
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call] # nor here
    except UNREADABLE as error:
        raise Blocked(
            "CredentialsUnavailable", f"The pod's ServiceAccount in {service_account} is incomplete"
        ) from error
    return Login(configuration, token_file=token)


def _kubeconfig(path: str, context: str | None) -> Login:
    configuration = Configuration()
    try:
        known, _ = list_kube_config_contexts(path)  # type: ignore[no-untyped-call] # the client has no types there
        contexts = {entry["name"] for entry in known}
        if context is None or context in contexts:
            load_kube_config(config_file=path, context=context, client_configuration=configuration)  # type: ignore[no-untyped-call] # nor here
            return Login(configuration)
    except UNREADABLE:
        raise Blocked(
            "CredentialsUnavailable",
            f"No usable kubeconfig at {path}: pass one, set KUBECONFIG, or run in a pod with a ServiceAccount"
            f" (`kubectl --kubeconfig {path} version` shows what is wrong with it)",
        ) from None  # the client quotes users with their tokens in its messages
    raise Blocked(
        "CredentialsUnavailable",
        f"The kubeconfig {path} has no context {context}: it has {', '.join(sorted(contexts)) or 'none'}",
    )


def _read_token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Busy("CredentialsUnavailable", f"The ServiceAccount token {path} cannot be read") from error
    if not token:
        raise Busy("CredentialsUnavailable", f"The ServiceAccount token {path} is empty")
    return token

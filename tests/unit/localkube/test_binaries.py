"""Where the programs come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from localkube import LocalkubeError, build, ensure_binaries


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that has everything."""
    monkeypatch.setattr(build, "cached", lambda names, _: {name: Path("/cache") / name for name in names})


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch(mode=0o755)


def test_without_a_setting_everything_comes_from_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)

    binaries = ensure_binaries()

    assert binaries.kube_apiserver == Path("/cache/kube-apiserver")
    assert binaries.kubectl == Path("/cache/kubectl")


def test_what_the_assets_lack_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "etcd", "kube-apiserver", "kubectl")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    binaries = ensure_binaries()

    assert binaries.etcd == tmp_path / "etcd"
    assert binaries.kube_controller_manager == Path("/cache/kube-controller-manager")


def test_a_complete_folder_of_assets_needs_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "etcd", "kube-apiserver", "kubectl", "kube-controller-manager")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    monkeypatch.delattr(build, "cached")

    assert ensure_binaries().kube_controller_manager == tmp_path / "kube-controller-manager"


def test_assets_that_are_no_folder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "absent"))

    with pytest.raises(LocalkubeError, match="absent is no folder: correct it or unset it"):
        ensure_binaries()


def test_a_folder_without_any_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etcd").touch(mode=0o644)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    with pytest.raises(LocalkubeError, match="setup-envtest use -p path"):
        ensure_binaries()

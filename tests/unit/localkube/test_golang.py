"""Which Go builds Kubernetes."""

from __future__ import annotations

from pathlib import Path

import pytest

from localkube import LocalkubeError, golang

WANTED = (1, 26, 0)


def put_go(folder: Path, answer: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `go` alone on PATH that says which version it is."""
    folder.mkdir()
    program = folder / "go"
    program.write_text(f'#!/bin/sh\necho "{answer}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return program


def put_pypi_go(cache: Path) -> Path:
    """What an earlier, interrupted build installed from PyPI."""
    program = cache / golang.PYPI_GO.replace("==", "-") / "dist" / "go" / "bin" / "go"
    program.parent.mkdir(parents=True)
    program.touch()
    return program


@pytest.mark.parametrize("answer", ["go1.26.0", "go1.26.8", "go1.27.1", "devel go1.28-3a1b2c3"])
def test_the_go_on_path_is_taken_if_it_is_new_enough(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = put_go(tmp_path / "bin", answer, monkeypatch)

    toolchain = golang.find(WANTED, tmp_path, lambda _: None)

    assert toolchain.go == program
    assert toolchain.disposable is None


@pytest.mark.parametrize("answer", ["go1.25.9", "go1.26rc1", "", "command not understood"])
def test_a_go_that_is_too_old_is_passed_over_and_the_user_told(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_go(tmp_path / "bin", answer, monkeypatch)
    from_pypi = put_pypi_go(tmp_path)
    said: list[str] = []

    toolchain = golang.find(WANTED, tmp_path, said.append)

    assert toolchain.go == from_pypi
    assert "Kubernetes needs Go 1.26.0" in said[0]


def test_without_a_go_one_comes_from_pypi_and_goes_after_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    from_pypi = put_pypi_go(tmp_path)

    toolchain = golang.find(WANTED, tmp_path, lambda _: None)

    assert toolchain.go == from_pypi
    assert toolchain.disposable is not None
    kept_in = [Path(toolchain.env[name]) for name in ("GOCACHE", "GOMODCACHE", "GOPATH")]
    assert all(path.is_relative_to(toolchain.disposable) for path in kept_in)


def test_a_build_is_not_changed_by_the_users_settings_of_go(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"GOFLAGS": "-mod=mod", "GOOS": "js", "GOWORK": "/w/go.work", "GOROOT": "/old"}.items():
        monkeypatch.setenv(name, value)

    env = golang.Toolchain(Path("go")).environment("linux", "amd64")

    assert env["GOFLAGS"].split()[0] == "-mod=readonly"
    assert env["GOOS"] == "linux"
    assert env["GOTOOLCHAIN"] == "local"
    assert env["GOWORK"] == "off"
    assert "GOROOT" not in env


def test_the_users_module_proxy_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "https://proxy.example.com")

    assert golang.Toolchain(Path("go")).environment("linux", "amd64")["GOPROXY"] == "https://proxy.example.com"


def test_uv_is_asked_before_pip(tmp_path: Path) -> None:
    first, second = golang.installers(tmp_path, uv="/venv/bin/uv", pip=True)

    assert first[:3] == ["/venv/bin/uv", "pip", "install"]
    assert second[1:4] == ["-m", "pip", "install"]
    assert first[-1] == second[-1] == golang.PYPI_GO


def test_without_uv_and_pip_the_user_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(golang, "installers", lambda *_, **__: [])

    with pytest.raises(LocalkubeError, match=r"neither uv nor pip.*https://go\.dev/dl"):
        golang.find(WANTED, tmp_path, lambda _: None)


def test_an_installation_that_fails_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(golang.shutil, "which", lambda _: None)
    monkeypatch.setattr(golang, "installers", lambda *_, **__: [["/bin/sh", "-c", "echo no route >&2; exit 1"]])

    with pytest.raises(LocalkubeError, match=r"(?s)could not be installed.*no route"):
        golang.find(WANTED, tmp_path, lambda _: None)

    assert [path.name for path in tmp_path.rglob("*") if path.name == "dist"] == []

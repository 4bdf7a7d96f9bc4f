"""What is built, and under which name it is kept."""

from __future__ import annotations

import pytest

from localkube import LocalkubeError, pin

GO_MOD = """module localkube

go 1.26.0

require (
\tgo.etcd.io/etcd/server/v3 v3.6.8
\tk8s.io/kubernetes v1.36.3
)
"""


@pytest.mark.parametrize(
    ("text", "version", "why"),
    [
        ("go1.26.8", (1, 26, 8), "a release"),
        ("go1.27", (1, 27, 0), "a language version is its first release"),
        ("go 1.26.0", (1, 26, 0), "a directive has a space"),
        ("go1.26rc2", (1, 26, -1), "a release candidate comes before the release"),
        ("devel go1.28-8a3b6e5 Thu Nov 19 2026", (1, 28, 0), "a build of the development branch"),
        ("go1.26.3 X:nocoverageredesign", (1, 26, 3), "experiments follow the version"),
        ("", None, "no answer at all"),
        ("gccgo (GCC) 13.2", None, "another compiler"),
    ],
)
def test_a_go_version_is_read_from_what_go_says(text: str, version: pin.GoVersion | None, why: str) -> None:
    assert pin.parse_go_version(text) == version, why


def test_the_pin_is_read_from_go_mod() -> None:
    assert pin.kubernetes_version(GO_MOD) == "v1.36.3"
    assert pin.required_go(GO_MOD) == (1, 26, 0)


@pytest.mark.parametrize("read", [pin.kubernetes_version, pin.required_go])
def test_a_go_mod_without_the_pin_is_refused(read: object) -> None:
    assert callable(read)
    with pytest.raises(LocalkubeError, match="reinstall"):
        read("module localkube\n")


def test_the_pinned_files_are_beside_the_code_and_name_every_staging_module() -> None:
    go_mod = (pin.MODULE / "go.mod").read_text()
    go_sum = (pin.MODULE / "go.sum").read_text()
    staging = "v0." + pin.kubernetes_version(go_mod).removeprefix("v1.")

    replaced = [line.split() for line in go_mod.splitlines() if "=>" in line]

    assert len(replaced) > 30
    assert all(replacement[3] == staging and replacement[0] == replacement[2] for replacement in replaced)
    assert f"k8s.io/kubernetes {pin.kubernetes_version(go_mod)} h1:" in go_sum
    assert f"k8s.io/apiserver {staging} h1:" in go_sum


def test_every_program_is_held_by_a_blank_import() -> None:
    tools = (pin.MODULE / "tools.go").read_text()

    assert all(f'_ "{package}"' in tools for package in pin.PACKAGES.values())


def test_binaries_are_stamped_with_the_version_that_kubectl_compares() -> None:
    flags = " ".join(pin.build_flags("v1.36.3"))

    assert "version.gitVersion=v1.36.3" in flags
    assert "version.gitMajor=1" in flags
    assert "version.gitMinor=36" in flags


def test_the_cache_key_says_what_it_holds() -> None:
    key = pin.cache_key(GO_MOD, "sums", "linux", "amd64")

    assert key.startswith("kubernetes-v1.36.3-linux-amd64-")
    assert key == pin.cache_key(GO_MOD, "sums", "linux", "amd64")


@pytest.mark.parametrize(
    ("go_mod", "go_sum", "goarch", "why"),
    [
        (GO_MOD.replace("3.6.8", "3.6.9"), "sums", "amd64", "another etcd"),
        (GO_MOD, "other sums", "amd64", "other contents of the same versions"),
        (GO_MOD, "sums", "arm64", "another machine, in a home that two share"),
    ],
)
def test_the_cache_key_changes_with_what_is_built(go_mod: str, go_sum: str, goarch: str, why: str) -> None:
    assert pin.cache_key(go_mod, go_sum, "linux", goarch) != pin.cache_key(GO_MOD, "sums", "linux", "amd64"), why


def test_the_cache_key_changes_with_the_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pin.cache_key(GO_MOD, "sums", "linux", "amd64")

    monkeypatch.setattr(pin, "build_flags", lambda _version: ["-race"])

    assert pin.cache_key(GO_MOD, "sums", "linux", "amd64") != before


@pytest.mark.parametrize(
    ("system", "machine", "target"),
    [
        ("linux", "x86_64", ("linux", "amd64")),
        ("linux", "aarch64", ("linux", "arm64")),
        ("darwin", "arm64", ("darwin", "arm64")),
    ],
)
def test_machines_have_their_names_in_go(system: str, machine: str, target: tuple[str, str]) -> None:
    assert pin.target(system, machine) == target


def test_a_machine_that_cannot_run_it_is_told_which_can() -> None:
    with pytest.raises(LocalkubeError, match=r"Linux and macOS.*win32 on AMD64"):
        pin.target("win32", "AMD64")

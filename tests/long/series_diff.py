"""What ``rvbuild diff k3s@OLD k3s@NEW`` says, against K3s' own script and the go command.

Run: ``python tests/long/series_diff.py --mirror https://github.com/k3s-io/k3s=FOLDER [1.34 1.35]``

K3s' ``scripts/version.sh`` runs in a checkout of each of the two commits, and says what it would
build with. ``go list`` says which modules the programs need, for three architectures, and go.sum
which archives those are. git says which files each commit touches. Nothing of rvbuild reads the
trees for that: of its lock only the commits are taken. The checkouts and the module cache lie in a
temporary folder; the go command asks the proxy of this machine's configuration.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen

ROOT = Path(__file__).parents[2]
ARCHITECTURES = ("riscv64", "arm64", "amd64")
FEATURES = (
    "apparmor,ctrd,netcgo,osusergo,providerless,seccomp,sqlite_omit_load_extension,static_build,"
    "urfave_cli_no_docs"
)
PROGRAMS = (("./cmd/k3s", "urfave_cli_no_docs", "0"), ("./cmd/server", FEATURES, "1"))
# what each pin of a recipe is in K3s' own script, and which prefix a recipe strips
VARIABLES = {
    "cni-flannel-source/version": "VERSION_FLANNEL_PLUGIN",
    "cni-plugins-source/version": "VERSION_CNIPLUGINS",
    "cni/flannel": "VERSION_FLANNEL",
    "cni/flannel_plugin": "VERSION_FLANNEL_PLUGIN",
    "cni/version": "VERSION_CNIPLUGINS",
    "go/version": "VERSION_GOLANG",
    "k3s-server/cni_plugins": "VERSION_CNIPLUGINS",
    "containerd-shim-runc-v2/version": "VERSION_CONTAINERD",
    "k3s-root/version": "VERSION_ROOT",
    "k3s-server/containerd": "VERSION_CONTAINERD",
    "k3s-server/cri_dockerd": "VERSION_CRI_DOCKERD",
    "k3s-server/crictl": "VERSION_CRICTL",
    "k3s-server/flannel": "VERSION_FLANNEL",
    "k3s-server/flannel_plugin": "VERSION_FLANNEL_PLUGIN",
    "k3s-server/golang": "VERSION_GOLANG",
    "k3s-server/kube_router": "VERSION_KUBE_ROUTER",
    "k3s-server/version": "VERSION_K8S",
    "k3s/version": "VERSION_K8S",
    "kubernetes-source/version": "VERSION_K8S_K3S",
    "runc/version": "VERSION_RUNC",
}
PREFIXES = {"go/version": "go", "k3s-root/version": "v"}
# what no variable says: a module of go.mod, or a line of the list of images
MODULES = {
    "k3s-server/etcd": "go.etcd.io/etcd/api/v3",
    "k3s-server/helm_controller": "github.com/k3s-io/helm-controller",
}
IMAGES = {"k3s-server/helm_job": "rancher/klipper-helm:"}


@frozen
class Tree:
    """A checkout of K3s at one commit."""

    folder: Path
    modules: Path

    def environment(self, **more: str) -> dict[str, str]:
        return {
            **os.environ,
            "GOMODCACHE": str(self.modules),
            "GOFLAGS": "-mod=readonly -modcacherw",
            "GOWORK": "off",
            **more,
        }

    def go(self, *words: str, **more: str) -> str:
        return run(("go", *words), cwd=self.folder, env=self.environment(**more))

    def variables(self) -> dict[str, str]:
        """What scripts/version.sh says.

        The one file that it asks the network for is in the module of Kubernetes: ``.go-version``,
        or ``build/dependencies.yaml``, out of which it takes one entry with yq.
        """
        path, version = self.go(
            "list",
            "-m",
            "-f",
            "{{with .Replace}}{{.Path}} {{.Version}}{{end}}",
            "k8s.io/kubernetes",
        ).split()
        module = json.loads(self.go("mod", "download", "-json", f"{path}@{version}"))
        text = f"""
            set +eu
            curl() {{ local at=${{!#}}; cat {module["Dir"]}/${{at#*/$VERSION_K8S*/}}; }}
            yq() {{ sed -n '/name: "golang: upstream version"/{{n; s/.*version: //p}}'; }}
            . scripts/version.sh
            for name in ${{!VERSION_*}}; do echo "$name=${{!name}}"; done"""
        told = run(("bash", "-c", text), cwd=self.folder, env=self.environment(NO_DAPPER="1"))
        found = dict(line.split("=", 1) for line in told.splitlines())
        return {**found, "VERSION_GOLANG": found["VERSION_GOLANG"].strip()}

    def value(self, pin: str, variables: Mapping[str, str]) -> str | None:
        """What the pin of a recipe must be; None for one that this script does not know."""
        if pin in IMAGES:
            lines = (self.folder / "scripts/airgap/image-list.txt").read_text().split()
            [line] = [line for line in lines if IMAGES[pin] in line]
            return line.removeprefix("docker.io/")
        if pin in MODULES:
            form = "{{with .Replace}}{{.Version}}{{else}}{{.Version}}{{end}}"
            return self.go("list", "-m", "-f", form, MODULES[pin]).strip()
        if pin not in VARIABLES:
            return None
        return variables[VARIABLES[pin]].removeprefix(PREFIXES.get(pin, ""))

    def needed(self) -> dict[str, set[str]]:
        """The modules of the packages of both programs, as they are replaced: path, versions."""
        form = "{{with .Module}}{{with .Replace}}%s{{else}}%s{{end}}{{end}}".replace(
            "%s", "{{.Path}} {{.Version}}"
        )
        found: dict[str, set[str]] = {}
        for package, tags, cgo in PROGRAMS:
            for arch in ARCHITECTURES:
                words = (
                    "list",
                    "-deps",
                    "-e",
                    "-tags",
                    tags.replace(" ", ","),
                    "-f",
                    form,
                    package,
                )
                told = self.go(*words, GOOS="linux", GOARCH=arch, CGO_ENABLED=cgo)
                for line in told.splitlines():
                    path, _, version = line.partition(" ")
                    if version:
                        found.setdefault(path, set()).add(version)
        return found

    def summed(self) -> dict[str, set[str]]:
        """Each archive that go.sum has: path, versions."""
        found: dict[str, set[str]] = {}
        for line in (self.folder / "go.sum").read_text().splitlines():
            path, version, _ = line.split()
            if not version.endswith("/go.mod"):
                found.setdefault(path, set()).add(version)
        return found


def run(words: tuple[str, ...], **more: Any) -> str:  # noqa: ANN401 - subprocess' own
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def checkout(repository: str, commit: str, folder: Path) -> Path:
    run(("git", "clone", "--quiet", "--no-tags", "--no-checkout", repository, str(folder)))
    run(("git", "-C", str(folder), "checkout", "--quiet", commit))
    return folder


def wrong_pins(diff: Any, trees: tuple[Tree, ...]) -> Iterator[str]:  # noqa: ANN401 - JSON
    """The pins whose change is not what the two trees say, or that lack; each side asked."""
    told = {f"{each['recipe']}/{each['pin']}": (each["old"], each["new"]) for each in diff["pins"]}
    variables = [tree.variables() for tree in trees]
    known = {*VARIABLES, *MODULES, *IMAGES}
    unknown = sorted(told.keys() - known)
    sys.stdout.write(f"pins: {len(told)} differ, {len(told) - len(unknown)} are looked up\n")
    yield from (f"pin {pin}: not looked up" for pin in unknown)
    for pin in sorted(known):
        old, new = (tree.value(pin, said) for tree, said in zip(trees, variables, strict=True))
        if told.get(pin) != ((old, new) if old != new else None):
            yield f"pin {pin}: {told.get(pin)}, and the trees say {old} -> {new}"


def wrong_modules(diff: Any, trees: tuple[Tree, ...]) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Changes that the go command does not know, and its own that the diff lacks."""
    [changes] = [each["changes"] for each in diff["sets"] if each["set"] == "k3s-source/k3s"]
    told = {each["name"]: (set(each["old"]), set(each["new"])) for each in changes}
    needed, summed = [tree.needed() for tree in trees], [tree.summed() for tree in trees]
    paths = {*needed[0], *needed[1]}
    own = {path: tuple(side.get(path, set()) for side in needed) for path in sorted(paths)}
    differing = {path: sides for path, sides in own.items() if sides[0] != sides[1]}
    sys.stdout.write(
        f"modules: {len(needed[0])} and {len(needed[1])} are needed, {len(differing)} differ; "
        f"diff has {len(told)}\n"
    )
    for path, sides in differing.items():
        if path not in told or not all(a <= b for a, b in zip(sides, told[path], strict=True)):
            yield f"module {path}: {told.get(path)}, and go list says {sides}"
    for path, sides in told.items():
        if not all(each <= side.get(path, set()) for each, side in zip(sides, summed, strict=True)):
            yield f"module {path}: {sides} is not in go.sum"
        if path not in differing:
            sys.stdout.write(f"  {path}: {sides}, of which no program has a package\n")


def wrong_commits(diff: Any, repository: Path, commits: tuple[str, ...]) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Commits that touch only tests and documents, and others that the log lacks."""
    [log] = [each for each in diff["logs"] if each["source"] == "k3s-source/k3s"]
    told = {each["commit"]: each["gone"] for each in log["commits"]}
    git, expected = ("git", "-C", str(repository)), {}
    for gone, (old, new) in ((False, commits), (True, commits[::-1])):
        for commit in run((*git, "rev-list", new, f"^{old}")).split():
            words = ("diff-tree", "-r", "-c", "--root", "--no-commit-id", "--name-only", "-z")
            names = run((*git, *words, commit)).split("\0")
            if any(map(is_read, filter(None, names))):
                expected[commit] = gone
    sys.stdout.write(
        f"commits: {len(expected)} by git, {len(told)} by diff, {log['others']} others\n"
    )
    for commit in sorted(told.keys() ^ expected.keys()):
        yield f"commit {commit}: {'only' if commit in told else 'not'} in diff"
    yield from (f"commit {each}: which side" for each in told if told[each] != expected.get(each))


def is_read(name: str) -> bool:
    """Whether docs/how-to/update.md says that a step may read it."""
    *folders, file = name.split("/")
    if {"test", "tests", "testdata", "doc", "docs", ".github"} & set(folders):
        return False
    return not file.endswith(("_test.go", ".md"))


def main() -> int:
    """Compare; the exit status is 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mirror", action="append", default=[], metavar="ADDRESS=FOLDER")
    parser.add_argument("old", nargs="?", default="1.34")
    parser.add_argument("new", nargs="?", default="1.35")
    said = parser.parse_args()
    mirrors = dict(each.split("=", 1) for each in said.mirror)
    repository = mirrors.get("https://github.com/k3s-io/k3s", "https://github.com/k3s-io/k3s")
    lock = yaml.load((ROOT / "rvbuild.lock").read_bytes(), Loader=yaml.CSafeLoader)
    sides = (f"k3s@{said.old}", f"k3s@{said.new}")
    own = (f"--mirror={each}" for each in said.mirror)
    words = (sys.executable, "-m", "rvbuild", "diff", *sides, "--commits", "--json", *own)
    diff = json.loads(run(words, cwd=ROOT))
    commits = tuple(
        lock["sources"][f"k3s-source@{series}/k3s"]["parts"][0]["commit"]
        for series in (said.old, said.new)
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        trees = tuple(
            Tree(checkout(repository, commit, folder / commit), folder / "modules")
            for commit in commits
        )
        wrong = [*wrong_pins(diff, trees), *wrong_modules(diff, trees)]
        wrong += wrong_commits(diff, trees[0].folder, commits)
    sys.stdout.write("\n".join([*wrong, f"{len(wrong)} differ", ""]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

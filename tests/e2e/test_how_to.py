"""The page that sets up a cache for a team: whatever it says to run is run, as a reader would.

Each kind of place is a journey, from a project without a cache to a laptop that takes what CI
signed. Examples of the page become what they mean here by a table.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from bucket_server import ACCOUNT, SECRET, BucketServer, bucket_server
from cache_places import services
from ci_jobs import github_steps, gitlab_script
from page_blocks import Page
from page_reader import Reader
from web_caches import free_port, nginx_with
from world import HELLO, HERE, ROOT

from rvbuild.caches.table import open_cache
from rvbuild.core.errors import CacheRefused

PAGE = Page.read(ROOT / "docs/how-to/team-cache.md")
TARGET = f"k3s-{HERE}"
FILES = {
    "recipes/k3s/recipe.yaml": HELLO.replace("/in/hello/", "/in/k3s/"),
    "requirements.txt": "rvbuild\n",
}
"""The team's project: a small recipe in the place of K3s'."""

FOLDERS = ("/mnt/team", "/media/stick", "/srv/cache", "/etc/nginx", "/etc/ssl")
LEFT_OUT = (
    "pip install -r requirements.txt",
    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
)
"""Lines of CI's jobs that are not run: rvbuild is here, and the kernel is not ours to set."""

NOT_RUN = {
    "needs another machine": ["rsync"],
    "needs root": ["apt-get", "nginx"],
    "needs an account at AWS": ["export"],
    "needs an account at GitHub": ["gh"],
    "needs an account at GitLab": ["glab"],
}
"""The first words of the blocks that the page marks, by their reason."""


@pytest.fixture
def reader(tmp_path: Path, seed: Path) -> Reader:
    """Somebody who has followed the page's first section."""
    for name in ("project", *FOLDERS):
        (tmp_path / name.lstrip("/")).mkdir(parents=True)
    table = {
        **{path: f"{tmp_path}{path}" for path in FOLDERS},
        **dict.fromkeys(LEFT_OUT, ":"),
        "k3s-riscv64": TARGET,  # needs no emulator
        "/opt/rvbuild/bin/rvbuild": "rvbuild",
        "builders": str(os.getgid()),
        "www-data": str(os.getuid()),
    }
    reader = Reader.at(tmp_path, seed, table)
    reader.begin_project(FILES)
    follow(reader, "The key")
    return reader


def follow(reader: Reader, title: str, **environment: str) -> str:
    """Run all of a section's shell in order; what it said."""
    return reader.run(PAGE.texts(title, "sh"), **environment)


def check_as_laptop(reader: Reader) -> None:
    """Follow the page's own check, on a machine that has nothing but a clone."""
    laptop = reader.colleague("laptop")
    said = follow(laptop, "Check that it works")
    for part in (
        "ok   read: ",
        f"pull   {TARGET}: team has it\n",
        "pulled 2 in",
        "team  has 2 records and all that they name\n",
    ):
        assert part in said
    text = (laptop.project / f"result/{TARGET}/share/hello.txt").read_text()
    assert text == f"hello 1 for {HERE}\n"


# ---- a directory


def test_a_directory(reader: Reader):
    follow(reader, "A directory")
    check_as_laptop(reader)
    cache = reader.folder / "mnt/team/rvbuild"
    assert [path for path in cache.rglob("*") if not path.stat().st_mode & 0o020] == []

    follow(reader, "Offline: carry a cache on a stick", RVBUILD_SIGNING_KEY=reader.key("ci"))
    assert (reader.project / f"project/result/{TARGET}/share/hello.txt").exists()
    assert (reader.folder / f"media/stick/one-target/records/ci/targets/{TARGET}").exists()

    _lose_a_key(reader)
    follow(reader, "A key is stolen")
    assert not (cache / "records/ci").exists()
    copy = {"RVBUILD_CACHES": "team=/media/stick/rvbuild"}
    said = reader.colleague("later").run(["rvbuild plan k3s-riscv64"], **copy)
    assert f"build  {TARGET}: " in said


def _lose_a_key(reader: Reader) -> None:
    """Somebody else's team, whose key is gone, takes old results."""
    reader.run(["git clone -q --bare ../origin.git ../other.git"])
    other = reader.colleague("other", origin="other.git")
    shutil.copytree(reader.folder / "home/.config", other.folder / "home/.config")
    follow(other, "A key is gone")
    assert other.key("ci-2") != other.key("ci")
    laptop = reader.colleague("other-laptop", origin="other.git")
    assert "ci-2" in tomllib.loads((laptop.project / "rvbuild.toml").read_text())["accept"]["build"]
    assert "team has it" in laptop.run(["rvbuild plan k3s-riscv64"])


# ---- nginx, and CI


@contextmanager
def page_nginx(reader: Reader) -> Iterator[Reader]:
    """The server with the page's configuration; and the reader, who reaches it."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    table = {
        "cache.example": address,
        "server_name cache.example": "server_name localhost",
        "/etc/ssl/cache.example": f"{reader.folder}/etc/ssl/cache.example",
        "listen 443 ssl": f"listen {address} ssl",
    }
    certificate = reader.folder / "etc/ssl/cache.example.pem"
    _certify(certificate.with_suffix(""))
    reader = reader.knowing(table, SSL_CERT_FILE=str(certificate))
    [configuration] = PAGE.texts("nginx", "nginx")
    with nginx_with(reader.here(configuration), reader.folder / "nginx", port):
        yield reader


def _certify(stem: Path) -> None:
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9"
        f" -subj /CN=cache -addext subjectAltName=IP:127.0.0.1 -keyout {stem}.key -out {stem}.pem"
    )
    subprocess.run(command.split(), check=True, capture_output=True)


def test_nginx_and_ci(reader: Reader):
    with page_nginx(reader) as team:
        password = follow(team, "nginx").split("\n", 1)[0]
        [settings] = PAGE.texts("The key", "toml")
        written = (team.project / "rvbuild.toml").read_text()
        assert tomllib.loads(written) == tomllib.loads(team.here(settings))
        check_as_laptop(team)
        address = "team=read+write https://cache.example/team"
        said = team.run(["rvbuild caches test team 2>&1 || true"], RVBUILD_CACHES=address)
        assert "refused (401 " in said, "who has no password does not write"

        secrets = {"RVBUILD_SIGNING_KEY": team.key("ci"), "CACHE_PASSWORD": password}
        for run in (_run_github, _run_gitlab):
            for file in (team.folder / "srv/cache/team").iterdir():
                shutil.rmtree(file) if file.is_dir() else file.unlink()
            said = run(team, "share", secrets)
            assert "built 1, checked 1" in said
            assert "team  has 2 records and all that they name\n" in said
            assert not [secret for secret in secrets.values() if secret in said]
            assert "pulled 2 in" in run(team, "try", {})

        [line] = PAGE.texts("Collect garbage", "cron")
        command = re.fullmatch(r"(?:\S+ ){5}www-data (.*)\n", line)
        assert command
        assert "kept 2 records" in team.run([command[1]])


def _run_github(reader: Reader, job: str, secrets: Mapping[str, str]) -> str:
    runner = reader.colleague(f"github-{job}", tools=job == "share")
    [text] = PAGE.texts("GitHub Actions", "yaml")
    steps = github_steps(text, job, secrets)
    return "".join(runner.run([script], **variables) for script, variables in steps)


def _run_gitlab(reader: Reader, job: str, secrets: Mapping[str, str]) -> str:
    runner = reader.colleague(f"gitlab-{job}", tools=job == "share")
    [text] = PAGE.texts("GitLab CI", "yaml")
    script, variables = gitlab_script(text, job, secrets)
    return runner.run([script], **variables)


# ---- S3


@pytest.fixture
def buckets(tmp_path: Path) -> Iterator[BucketServer]:
    (tmp_path / "buckets").mkdir()
    with bucket_server(tmp_path / "buckets") as server:
        yield server


def test_s3(reader: Reader, buckets: BucketServer):
    table = {
        "https://team-cache.s3.eu-central-1.amazonaws.com": f"{buckets.address}/team-cache",
        "111122223333": ACCOUNT,
        "192.0.2.0/24": "127.0.0.0/8",
    }
    team = reader.knowing(table, AWS_ENDPOINT_URL=buckets.address)
    [policy] = PAGE.texts("S3", "json")
    buckets.make_bucket("team-cache", team.here(policy))
    follow(team, "S3", AWS_ACCESS_KEY_ID="ci", AWS_SECRET_ACCESS_KEY=SECRET)
    check_as_laptop(team)
    secrets = {"COLLECTOR_ACCESS_KEY_ID": "collector", "COLLECTOR_SECRET_ACCESS_KEY": SECRET}
    github, gitlab = PAGE.texts("Collect garbage", "yaml")
    collections = [
        *github_steps(github, "collect", secrets),
        gitlab_script(gitlab, "collect", secrets),
    ]
    for script, variables in collections:
        assert script in LEFT_OUT or "kept 2 records" in team.run([script], **variables)
    _try_policy(f"s3://team-cache/rvbuild?endpoint={buckets.address}")


WRITERS = {
    "rvbuild-cache": {"ci", "lab", "collector"},
    "leases/x": {"ci", "lab", "collector"},
    "records/ci/targets/x": {"ci", "collector"},
    "records/lab/targets/x": {"lab", "collector"},
}
"""Files, and who may write them."""


def _try_policy(address: str) -> None:
    """No builder writes another's records, and nobody in particular writes anything."""
    for user in ("", "ci", "lab", "collector"):
        login = {"AWS_ACCESS_KEY_ID": user, "AWS_SECRET_ACCESS_KEY": SECRET} if user else {}
        with services(environment=login) as given:
            cache, wrote = open_cache(address, given), set()
            for name in WRITERS:
                try:
                    cache.write_record(name, b"1\n")
                    wrote.add(name)
                except CacheRefused:
                    continue
        assert wrote == {name for name, users in WRITERS.items() if user in users}, user


# ---- the page itself


def test_every_block_is_run_or_marked():
    """Sections that the journeys above follow; a new one needs a line here, and a journey."""
    assert PAGE.with_language("sh") == {
        *("The key", "A directory", "nginx", "S3", "GitHub Actions", "GitLab CI"),
        *("Check that it works", "A key is gone", "A key is stolen"),
        "Offline: carry a cache on a stick",
    }
    assert PAGE.marked() == NOT_RUN
    assert {block.language for each in PAGE.sections.values() for block in each} == {
        *("sh", "toml", "nginx", "json", "yaml", "cron")
    }


SCHEMAS = {
    "GitHub Actions": ["github-workflows"],
    "GitLab CI": ["gitlab-ci"],
    "Collect garbage": ["github-workflows", "gitlab-ci"],
}
"""The system that reads each block of YAML, by section."""


@pytest.mark.parametrize("title", SCHEMAS)
def test_yaml_fits_its_system(tmp_path: Path, title: str):
    """By the schemas that these systems publish."""
    assert PAGE.with_language("yaml") == set(SCHEMAS)
    file = tmp_path / "file.yml"
    for schema, text in zip(SCHEMAS[title], PAGE.texts(title, "yaml"), strict=True):
        file.write_text(text)
        words = ["-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]
        ran = subprocess.run([sys.executable, *words], check=False, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout

"""How apt and pip reach servers, as their configuration says; and what a machine trusts."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

import certifi
import pytest

from rvbuild.app.doctor import look_at_archives, look_at_proxies
from rvbuild.core.errors import SourceError
from rvbuild.kinds.crates.cargo_route import cargo_route
from rvbuild.kinds.pypi.pip_route import pip_route
from rvbuild.transfers.apt_config import apt_settings, find_archives
from rvbuild.transfers.apt_route import apt_route
from rvbuild.transfers.authorities import authorities

P, Q, R = "http://p.example:3128", "http://q.example:3128", "http://r.example:3128"
HOME = os.path.expanduser("~/d.pem")
HTTP, HTTPS, OTHER = "http://a.example/", "https://a.example/", "http://b.example/"


def apt(folder: Path, dump: str, **environment: str) -> dict[str, str]:
    """An environment in which apt's configuration is ``dump``."""
    program = folder / "apt-config"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{dump}\nEND\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{folder}:/usr/bin:/bin", **environment}


@pytest.mark.parametrize("ask", [find_archives, apt_settings])
def test_what_apt_config_cannot_read_is_an_error(
    tmp_path: Path, ask: Callable[[dict[str, str]], object]
):
    """A proxy may be in what it leaves out: it is quoted, without any login."""
    program = tmp_path / "apt-config"
    said = "E: Syntax error /x/apt.conf:1: http://al:s3cr@p.example"
    program.write_text(f"#!/bin/sh\necho 'APT \"\";'\necho '{said}' >&2\nexit 100\n")
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    with pytest.raises(SourceError, match="apt-config cannot read apt's configuration") as caught:
        ask(environment)
    (line,) = caught.value.details
    assert line == "apt-config: E: Syntax error /x/apt.conf:1: http://p.example"
    assert "APT_CONFIG" in str(caught.value.hint)
    for look in (look_at_proxies, look_at_archives):
        check = look(environment)
        assert not check.ok
        assert line in check.found
        assert check.hint


@pytest.mark.parametrize(
    ("dump", "environment", "proxies"),
    [
        ("", {}, ["", "", ""]),
        ("", {"http_proxy": R}, [R, "", R]),
        (f'Acquire::http::Proxy "{P}";', {}, [P, P, P]),
        (f'Acquire::http::Proxy "{P}";', {"http_proxy": R, "https_proxy": R}, [P, P, P]),
        (f'Acquire::https::Proxy "{Q}";', {"http_proxy": R}, [R, Q, R]),
        (f'Acquire::http::Proxy "{P}";\nAcquire::https::Proxy "{Q}";', {}, [P, Q, P]),
        ('Acquire::http::Proxy "DIRECT";', {"http_proxy": R, "https_proxy": R}, ["", "", ""]),
        ('Acquire::http::Proxy "DIRECT";', {"all_proxy": R}, ["", "", ""]),
        ('Acquire::https::Proxy "DIRECT";', {"all_proxy": R}, [R, "", R]),
        ('Acquire::http::Proxy::B.example "DIRECT";', {"all_proxy": R}, [R, R, ""]),
        (f'Acquire::http::Proxy "{P}";\nAcquire::http::Proxy::b.example "DIRECT";', {}, [P, P, ""]),
        (f'Acquire::http::Proxy::B.example "{Q}";', {}, ["", "", Q]),
        (f'Acquire::http::Proxy "{P}";', {"no_proxy": "b.example"}, [P, P, ""]),
        ('Acquire::http::Proxy "";\nAcquire::http::Timeout "5";', {"http_proxy": R}, [R, "", R]),
        (f'ACQUIRE::HTTP::proxy "{P}";', {}, [P, P, P]),
    ],
)
def test_the_proxies_of_apt(
    tmp_path: Path, dump: str, environment: dict[str, str], proxies: list[str]
):
    surroundings = apt(tmp_path, dump, **environment)
    route = apt_route(apt_settings(surroundings), surroundings)
    assert [route.proxies.of(url) for url in (HTTP, HTTPS, OTHER)] == proxies


def detecting(folder: Path, script: str) -> str:
    """A command that finds proxies; its file ``asked`` has what it was asked."""
    program = folder / "detect"
    program.write_text(f'#!/bin/sh\necho "$1" >> {folder}/asked\n{script}\n')
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("option", ["Proxy-Auto-Detect", "ProxyAutoDetect"])
@pytest.mark.parametrize(
    ("script", "more", "proxies"),
    [
        (f"echo {P}", "", [P, R, P]),
        ("echo DIRECT", "", ["", R, ""]),
        (":", "", [R, R, R]),
        ("echo", "", [R, R, R]),
        (f"printf '%s\\r\\n' ' {P} '; echo {Q}", "", [P, R, P]),
        (f'case "$1" in http://a.example/) echo {P};; *) echo {Q};; esac', "", [P, R, Q]),
        (f"echo {P}", f'\nAcquire::http::Proxy::b.example "{Q}";', [P, R, Q]),
        (f"echo {P}", f'\nAcquire::http::Proxy "{Q}";', [P, Q, P]),
    ],
)
def test_the_command_of_apt_that_finds_proxies(
    tmp_path: Path, option: str, script: str, more: str, proxies: list[str]
):
    """It is asked for each server once, and only for the scheme that has it."""
    command = detecting(tmp_path, script)
    surroundings = apt(tmp_path, f'Acquire::http::{option} "{command}";{more}', all_proxy=R)
    route = apt_route(apt_settings(surroundings), surroundings)
    for _ in range(2):
        assert [route.proxies.of(url) for url in (HTTP, HTTPS, OTHER)] == proxies
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == [HTTP] if "b.example" in more else [HTTP, OTHER]


@pytest.mark.parametrize("script", ["exit 1", "echo no >&2; exit 3"])
def test_a_command_that_finds_no_proxy_and_fails(tmp_path: Path, script: str):
    command = detecting(tmp_path, script)
    surroundings = apt(tmp_path, f'Acquire::http::Proxy-Auto-Detect "{command}";')
    proxies = apt_route(apt_settings(surroundings), surroundings).proxies
    assert proxies.of(HTTPS) == ""
    for _ in range(2):
        with pytest.raises(SourceError, match="to find a proxy fails") as caught:
            proxies.of(HTTP)
    assert (tmp_path / "asked").read_text().splitlines() == [HTTP]
    assert str(caught.value.where) == command
    assert "Proxy-Auto-Detect" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("dump", "files"),
    [
        ("", ["", ""]),
        ('Acquire::https::CAInfo "/c.pem";', ["/c.pem", "/c.pem"]),
        ('Acquire::https::CaInfo::b.example "/b.pem";', ["", "/b.pem"]),
        ('Acquire::https::B.example::CaInfo "/b.pem";', ["", "/b.pem"]),
        ('Acquire::https::CaInfo "/c.pem";\nAcquire::https::b.example::CaInfo "/b.pem";',
         ["/c.pem", "/b.pem"]),
        ('Acquire::https::CaInfo "";', ["", ""]),
        ('Acquire::https::Verify-Peer "false";', ["", ""]),
    ],
)  # fmt: skip
def test_the_authorities_of_apt(tmp_path: Path, dump: str, files: list[str]):
    surroundings = apt(tmp_path, dump)
    route = apt_route(apt_settings(surroundings), surroundings)
    assert [route.authorities_of(host) for host in ("a.example", "b.example")] == files


def test_without_apt_it_is_the_environment(tmp_path: Path):
    surroundings = {"PATH": str(tmp_path), "http_proxy": R}
    assert apt_route(apt_settings(surroundings), surroundings).proxies.of(HTTP) == R


@pytest.mark.parametrize(
    ("environment", "file", "expected"),
    [
        ({"PIP_CERT": "/d.pem"}, "", ("", "/d.pem", "http_proxy")),
        ({"PIP_CERT": "/d.pem", "https_proxy": R}, "", (R, "/d.pem", "http_proxy")),
        ({"PIP_CERT": "~/d.pem", "PIP_PROXY": P, "https_proxy": R}, "", (P, HOME, "PIP_PROXY")),
        ({}, f"[global]\nproxy = {P}\ncert = /c.pem\n", (P, "/c.pem", "pip.conf")),
        (
            {"PIP_CERT": "/d.pem"},
            f"[global]\ncert = /c.pem\nproxy = {P}\n[install]\nproxy = {Q}\n",
            (Q, "/d.pem", "pip.conf"),
        ),
    ],
)
def test_the_way_of_pip(
    tmp_path: Path, environment: dict[str, str], file: str, expected: tuple[str, str, str]
):
    """The machine's own pip.conf, the weakest of them, may say something of each, too."""
    (tmp_path / "pip.conf").write_text(file)
    base = {"HOME": str(tmp_path), "VIRTUAL_ENV": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path)}
    route = pip_route({**base, **environment})
    assert (route.proxies.of(HTTPS), route.authorities) == expected[:2]
    assert expected[2] in route.proxies.named_by


@pytest.mark.parametrize(
    ("environment", "text", "expected"),
    [
        ({}, "", ("", "", "http_proxy")),
        ({"https_proxy": R}, "[build]\njobs = 1\n", (R, "", "http_proxy")),
        ({"https_proxy": R}, f"[http]\nproxy = '{P}'\n", (P, "", "config.toml (http.proxy)")),
        ({"no_proxy": "a.example"}, f"[http]\nproxy = '{P}'\n", ("", "", "http.proxy")),
        ({}, "[http]\nproxy = 'p.example:3128'\n", (P, "", "http.proxy")),
        ({"CARGO_HTTP_PROXY": Q}, f"http.proxy = '{P}'\n", (Q, "", "CARGO_HTTP_PROXY")),
        ({}, "[http]\ncainfo = '/c.pem'\n", ("", "/c.pem", "http_proxy")),
        ({}, "[http]\ncainfo = 'c.pem'\n", ("", "HOME/c.pem", "http_proxy")),
        ({"CARGO_HTTP_CAINFO": "/d.pem"}, "http.cainfo = '/c.pem'\n", ("", "/d.pem", "http_proxy")),
        ({"https_proxy": R}, "[http]\nproxy = ''\ncainfo = ''\n", (R, "", "http_proxy")),
    ],
)
def test_the_way_of_cargo(
    tmp_path: Path, environment: dict[str, str], text: str, expected: tuple[str, str, str]
):
    (tmp_path / ".cargo").mkdir()
    (tmp_path / ".cargo/config.toml").write_text(text)
    route = cargo_route({"HOME": str(tmp_path), **environment})
    authorities = route.authorities.replace(str(tmp_path), "HOME")
    assert (route.proxies.of(HTTPS), authorities) == expected[:2]
    assert expected[2] in route.proxies.named_by


@pytest.mark.parametrize("text", ["http = 1\n", "[http]\nproxy = 1\n", "[http]\ncainfo = []\n"])
def test_a_way_of_cargo_that_is_none(tmp_path: Path, text: str):
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(SourceError, match="must be text") as caught:
        cargo_route({"CARGO_HOME": str(tmp_path)})
    assert str(caught.value.where) == str(tmp_path / "config.toml")


# ---- what is trusted


def subjects(context: ssl.SSLContext) -> int:
    return context.cert_store_stats()["x509_ca"]


@pytest.fixture
def authority_files(tmp_path: Path) -> Path:
    """A folder: ``1.pem``, ``2.pem`` and ``d/3.pem`` have an authority each, of those all know."""
    end = "-----END CERTIFICATE-----\n"
    certificates = Path(certifi.where()).read_text().split(end)
    (tmp_path / "d").mkdir()
    for name, text in zip(("1.pem", "2.pem", "d/3.pem"), certificates, strict=False):
        (tmp_path / name).write_text(text + end)
    (tmp_path / "none.pem").write_text("no certificate")
    return tmp_path


def settings(text: str, folder: Path) -> dict[str, str]:
    """Variables as a shell has them, with ``@`` for the folder."""
    pairs = (word.partition("=") for word in text.split())
    return {name: value.replace("@", str(folder)) for name, _, value in pairs}


@pytest.mark.parametrize(
    ("variables", "file", "trusted"),
    [
        ("SSL_CERT_FILE=@/1.pem", "", "1"),
        ("REQUESTS_CA_BUNDLE=@/1.pem", "", "1"),
        ("CURL_CA_BUNDLE=@/1.pem", "", "1"),
        ("SSL_CERT_DIR=@/d", "", "3"),
        ("REQUESTS_CA_BUNDLE=@/d", "", "3"),
        ("CURL_CA_BUNDLE=@/d", "", "3"),
        ("SSL_CERT_FILE=@/1.pem SSL_CERT_DIR=@/d", "", "13"),
        ("SSL_CERT_DIR=@/absent:@/d:@/1.pem", "", "3"),
        ("SSL_CERT_DIR=@/d REQUESTS_CA_BUNDLE=@/1.pem", "", "3"),
        ("SSL_CERT_FILE=@/1.pem REQUESTS_CA_BUNDLE=@/2.pem CURL_CA_BUNDLE=@/d", "", "1"),
        ("REQUESTS_CA_BUNDLE=@/2.pem CURL_CA_BUNDLE=@/1.pem", "", "2"),
        ("SSL_CERT_FILE= CURL_CA_BUNDLE=@/1.pem", "", "1"),
        ("SSL_CERT_FILE=@/1.pem SSL_CERT_DIR=@/d", "@/2.pem", "2"),
        ("SSL_CERT_FILE=@/1.pem", "@/d", "3"),
    ],
)
def test_what_is_named_is_all_that_is_trusted(
    authority_files: Path, variables: str, file: str, trusted: str
):
    """By rank, and never of two of them."""
    environment = settings(variables, authority_files)
    context = authorities(environment, file.replace("@", str(authority_files)))
    expected = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in trusted:
        (path,) = authority_files.rglob(f"{name}.pem")
        expected.load_verify_locations(path)
    serials = [{each["serialNumber"] for each in it.get_ca_certs()} for it in (context, expected)]
    assert serials[0] == serials[1]
    assert len(serials[0]) == len(trusted)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", ""])
@pytest.mark.parametrize("path", ["absent.pem", "none.pem", "a\0b"])
def test_a_file_that_cannot_be_read_is_told(authority_files: Path, variable: str, path: str):
    file = str(authority_files / path)
    with pytest.raises(SourceError, match="cannot read the trusted certificates in '/") as caught:
        authorities({variable: file} if variable else {}, "" if variable else file)
    assert str(caught.value.where) == (variable or file)


@pytest.mark.parametrize("path", ["absent", "1.pem", "absent:1.pem", "a\0b"])
def test_a_folder_that_is_none_is_told(authority_files: Path, path: str):
    """Else nobody would be trusted, and nothing would say why."""
    with pytest.raises(SourceError, match="cannot read the trusted certificates in") as caught:
        authorities({"SSL_CERT_DIR": str(authority_files / path)})
    assert caught.value.where == "SSL_CERT_DIR"


def test_without_any_word_somebody_is_trusted():
    context = authorities({})
    assert subjects(context) > 1 or ssl.get_default_verify_paths().capath
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname

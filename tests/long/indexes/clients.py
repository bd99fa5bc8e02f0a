"""Several package indexes: what pip and uv do with them, against the tables of the tests.

Run with the project's environment and a `uv` on PATH: ``python tests/long/indexes/clients.py``.
Only indexes of this machine are asked.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from index_table import DEFAULT, PIP, STRATEGIES, TABLE, UV_ORDER, Places
from site_of_bytes import serve

from rvbuild.kinds.pypi.indexes import Strategy

AT_ONCE = (Strategy.FIRST_MATCH, Strategy.BEST_MATCH)
"""Here uv asks all indexes at the same time. So one that is down ends the search, also if it
stands after the one that decides; that is the only difference to what rvbuild does."""
LAST_DOWN = "the last is down"


def main() -> int:
    """Compare every row; 1 if a client does otherwise."""
    different = 0
    for name, expected, seen in (*orders(), *choices()):
        different += expected != seen
        verdict = "same" if expected == seen else f"DIFFERENT: {expected} here, {seen} there"
        sys.stdout.write(f"{name}: {verdict}\n")
    sys.stdout.write(f"{different} different\n")
    return 1 if different else 0


def orders() -> Iterator[tuple[str, str, str]]:
    """In which order uv asks the indexes of a row of UV_ORDER."""
    for name, (environment, text, urls) in UV_ORDER.items():
        if DEFAULT in urls:  # uv's own default is an index of the network
            continue
        places = Places({})
        with serve(places.answer) as site:

            def local(words: str, url: str = site.url) -> str:
                return re.sub(r"https://(\w)\.example/(\w+)", rf"{url}/\1-\2", words)

            uv({key: local(value) for key, value in environment.items()}, local(text))
            expected = [local(url).rpartition("/")[2] for url in urls]
        yield f"uv, {name}", " ".join(expected), " ".join(dict.fromkeys(places.asked))


def choices() -> Iterator[tuple[str, str, str]]:
    """Whose wheel is taken, and which indexes are asked, in a row of TABLE."""
    for name, (listed, expected) in TABLE.items():
        for strategy, outcome in zip(STRATEGIES, expected, strict=True):
            places = Places(dict(zip("abc", listed, strict=True)))
            with serve(places.answer) as site:
                ask = pip_choice if strategy is PIP else uv_choice
                wheel = ask(site.url, strategy)
            client = "pip" if strategy is PIP else f"uv, {strategy.value}"
            if strategy in AT_ONCE:
                is_ended = name == LAST_DOWN and wheel == "-"
                yield f"{client}, {name}", outcome[0], outcome[0] if is_ended else wheel
            else:
                asked = "".join(dict.fromkeys(places.asked))
                yield f"{client}, {name}", outcome.replace("!", ""), f"{wheel} {asked}"


def uv(environment: Mapping[str, str], text: str) -> str:
    """What uv resolves, with a configuration file of this text."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / ".config/uv/uv.toml"
        file.parent.mkdir(parents=True)
        file.write_text(text)
        command = ["uv", "pip", "compile", "--no-cache", "--no-header", "--emit-index-annotation"]
        command += ["--python", sys.executable, "--only-binary", ":all:", "-"]
        own = {"HOME": home, "PATH": os.environ["PATH"], "UV_HTTP_RETRIES": "0"}
        ran = subprocess.run(
            command,
            input="tool==1.2\n",
            capture_output=True,
            check=False,
            cwd=home,
            env={**own, **environment},
            text=True,
        )
        return ran.stdout


def uv_choice(url: str, strategy: Strategy) -> str:
    """The index of the wheel that uv takes; ``-`` for none."""
    environment = {
        "UV_INDEX": f"{url}/a {url}/b",
        "UV_DEFAULT_INDEX": f"{url}/c",
        "UV_INDEX_STRATEGY": strategy.value,
    }
    match = re.search(rf"# from {re.escape(url)}/(\w)", uv(environment, ""))
    return match[1] if match else "-"


def pip_choice(url: str, _: Strategy) -> str:
    """The same of pip."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir"]
        command += ["--isolated", "--retries=0", "--dest", folder, f"--index-url={url}/a"]
        command += [f"--extra-index-url={url}/{name}" for name in "bc"]
        ran = subprocess.run([*command, "tool==1.2"], capture_output=True, check=False, text=True)
    match = re.search(rf"Downloading {re.escape(url)}/(\w)/files", ran.stdout)
    return match[1] if match else "-"


if __name__ == "__main__":
    sys.exit(main())

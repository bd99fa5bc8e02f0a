"""Whatever bytes are called Cargo.lock: crates that stay in their folders, or an error of ours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from made_crates import REGISTRY

from rvbuild.core.errors import LockError
from rvbuild.core.paths import is_component
from rvbuild.core.place import Place
from rvbuild.kinds.crates.cargo_lock import parse_cargo_lock
from rvbuild.kinds.crates.source import VendoredCrate

WHOLE = (
    "version = 4\n"
    + "".join(
        f'\n[[package]]\nname = "n{n}"\nversion = "1.{n}.0-rc.1+b"\nsource = "{REGISTRY}"\n'
        f'checksum = "{n:064x}"\ndependencies = [\n "n{n + 1}",\n]\n'
        for n in range(3)
    )
    + f'\n[metadata]\n"checksum n9 1.0.0 ({REGISTRY})" = "<none>"\n'
).encode()
PIECES = [
    b'"', b"'", b'"""', b"\n", b"[", b"]", b"[[package]]", b"=", b"{", b"}", b",", b"\\u0000",
    b"..", b"/", b"\xff", b"name", b"version", b"source", b"git+", b"checksum", b"1e999",
    b"true", b"#",
]  # fmt: skip
names = st.text(max_size=20)


def checked(data: bytes) -> tuple[VendoredCrate, ...] | None:
    """The crates, or None where there is an error with a place."""
    try:
        crates = parse_cargo_lock(data, "the-file")
    except LockError as caught:
        error = caught
    else:
        assert list(crates) == sorted(set(crates))
        assert all(is_component(each.top) and is_component(each.label) for each in crates)
        return crates
    assert isinstance(error.where, Place)
    assert error.where.file == "the-file"
    assert error.message.isprintable()
    return None


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes):
    checked(data)


@given(st.integers(0, len(WHOLE)), st.integers(0, 40), st.lists(st.sampled_from(PIECES)))
def test_a_damaged_file(at: int, lost: int, pieces: list[bytes]):
    checked(WHOLE[:at] + b"".join(pieces) + WHOLE[at + lost :])


@given(st.integers(0, len(WHOLE)))
def test_a_truncated_file_has_no_other_crates(size: int):
    """A crate may be missing; none is there that the whole file does not have."""
    whole = checked(WHOLE)
    assert whole is not None
    assert len(whole) == 3
    assert set(checked(WHOLE[:size]) or ()) <= set(whole)


@given(names, names, names, st.sampled_from([REGISTRY, "git+x", "", "registry+y"]))
def test_any_texts(name: str, version: str, checksum: str, source: str):
    def quoted(text: str) -> str:
        return "".join(f"\\U{ord(c):08X}" for c in text if not "\ud800" <= c <= "\udfff")

    text = (
        f'version = 4\n[[package]]\nname = "{quoted(name)}"\nversion = "{quoted(version)}"\n'
        f'checksum = "{quoted(checksum)}"\nsource = "{source}"\n'
    )
    checked(text.encode())

"""Which files of a commit's folder are a module's, as golang.org/x/mod/zip says.

Knows: names. Must not know: git, zip's format. What no module may hold is refused by `go_zip`
when the zip is read, wherever it came from.
"""

from __future__ import annotations

from collections.abc import Collection

_WITHOUT_VENDOR_LIST = (1, 24)


def module_files(names: Collection[str], go: tuple[int, int]) -> set[str]:
    """The files of a module out of ``names``, which are regular files relative to its folder.

    Left out are nested modules (folders with a go.mod, in any case of letters), what is vendored,
    and what Mercurial's archives bring.

    Args:
        names: As they are in git: links and submodules are none.
        go: The version of the module's ``go`` line: the rule of what is vendored changed with 1.24.
    """
    nested = {
        name.rpartition("/")[0] for name in names if name.rpartition("/")[2].lower() == "go.mod"
    } - {""}
    return {
        name
        for name in names
        if name != ".hg_archival.txt"
        and not _is_vendored(name, go)
        and not any(folder in nested for folder in _folders(name))
    }


def _folders(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _is_vendored(name: str, go: tuple[int, int]) -> bool:
    """Whether it lies in a vendored package.

    Before 1.24 the go command counted from the wrong place (golang.org/issue/37397), and checksums
    are made of what it did.
    """
    modern = go >= _WITHOUT_VENDOR_LIST
    if modern and name == "vendor/modules.txt":
        return True
    start, inner = len("vendor/"), name.find("/vendor/")
    if not name.startswith("vendor/"):
        if inner < 0:
            return False
        start = inner + len("/vendor/") if modern else len("/vendor/")
    return "/" in name[start:]

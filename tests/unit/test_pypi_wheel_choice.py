"""Which wheel of a release is taken, and what an error says where none fits."""

from __future__ import annotations

import itertools

import pytest

from rvbuild.kinds.pypi.simple_index import IndexFile
from rvbuild.kinds.pypi.wheel_choice import choose_wheel, describe_release


def test_the_choice_of_wheels_does_not_depend_on_their_order():
    """From best to worst, as wheel_choice says."""
    order = [
        "p-1.0-2-py3-none-manylinux1_x86_64.whl",
        "p-1.0-py3-none-manylinux_2_5_x86_64.manylinux1_x86_64.whl",
        "p-1.0-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "p-1.0-py3-none-manylinux_2_28_x86_64.whl",
        "p-1.0-py3-none-musllinux_1_1_x86_64.whl",
        "p-1.0-py3-none-linux_x86_64.whl",
        "p-1.0-py3-none-any.whl",
        "p-1.0-cp39-abi3-manylinux_2_17_x86_64.whl",
        "p-1.0-cp313-cp313-manylinux_2_17_x86_64.whl",
        "p-1.0-cp39-cp39-manylinux_2_17_x86_64.whl",
    ]
    unfit = [
        "p-1.0-py3-none-manylinux_2_17_aarch64.whl",
        "p-1.0-py3-none-win_amd64.whl",
        "p-1.0-py3-none-macosx_11_0_x86_64.whl",
        "p-2.0-py3-none-any.whl",
        "q-1.0-py3-none-any.whl",
        "p-1.0.tar.gz",
        "p-1.0.whl",
    ]
    files = [IndexFile(name, "u", "") for name in order + unfit]
    for best in order:
        for listed in (files, files[::-1]):
            chosen = choose_wheel(listed, "p", "1.0", "amd64")
            assert chosen is not None
            assert chosen.filename == best
        files = [file for file in files if file.filename != best]
    assert choose_wheel(files, "p", "1.0", "amd64") is None


@pytest.mark.parametrize(
    ("file", "version", "same"),
    [
        ("1.0rc1", "1.0.0rc1", True),
        ("1.0.0rc1", "1.0-RC.1", True),
        ("1.0", "1", True),
        ("1.0", "v1.0.0", True),
        ("1!1.0", "1!1", True),
        ("1.0.post1", "1.0-1", True),
        ("1.0+local.1", "1.0+local-1", True),
        ("1.0a1", "1.0alpha1", True),
        ("1.0.dev1", "1.0dev1", True),
        ("1.0rc1", "1.0", False),
        ("1.0rc1", "1.0rc10", False),
        ("1.0.1", "1.0", False),
        ("1.0+local", "1.0", True),
        ("1.0+local", "1.0+other", False),
        ("1.0", "1.0+local", False),
        ("1.0+local", "1.0.0", True),
        ("1!1.0", "1.0", False),
        ("1.0", "one", False),
    ],
)
def test_versions_are_the_same_as_pep_440_says(file: str, version: str, same: bool):  # noqa: FBT001
    wheel = IndexFile(f"P.x-{file}-py3-none-any.whl", "u", "")
    assert choose_wheel([wheel], "p_X", version, "amd64") == (wheel if same else None)


@pytest.mark.parametrize(
    "name",
    [
        *("p-1-x-py3-none-any.whl", "p-one-py3-none-any.whl", "-1-py3-none-any.whl"),
        *("p-1--py3-none-any.whl", "p-1-py3-none-any.WHL", "p-1-py3-none.whl"),
        f"p-1-{'9' * 5000}-py3-none-any.whl",
        "-".join(["p-1", *3 * [".".join(map(str, range(3000)))]]) + ".whl",  # 27,000,000,000 tags
    ],
)
def test_what_is_no_wheels_name(name: str):
    """An index may list anything; an answer comes at once."""
    assert choose_wheel([IndexFile(name, "u", "")], "p", "1", "amd64") is None


def test_a_yanked_wheel_is_the_last_choice():
    good = IndexFile("p-1-py3-none-any.whl", "u", "")
    yanked = IndexFile("p-1-py3-none-manylinux1_x86_64.whl", "u", "", yanked=True)
    assert choose_wheel([yanked, good], "p", "1.0", "amd64") == good
    assert choose_wheel([yanked], "p", "1", "amd64") == yanked


@pytest.mark.parametrize(
    "order",
    [
        ["p-1.0-10-py3-none-any.whl", "p-1.0-2-py3-none-any.whl", "p-1.0-py3-none-any.whl"],
        ["p-1.0-2b-py3-none-any.whl", "p-1.0-2a-py3-none-any.whl", "p-1.0-2-py3-none-any.whl"],
        ["p-1.0-py3-none-any.whl", "p-1.0+cpu-py3-none-any.whl"],
        ["p-1.0-py3-none-any.whl", "p-1.0+cpu-9-py3-none-any.whl"],
        ["p-1.0-cp39-cp39-linux_x86_64.whl", "p-1.0+cpu-py3-none-manylinux1_x86_64.whl"],
        ["p-1.0+cpu-py3-none-any.whl", "p-1.0.post1-py3-none-any.whl"],
    ],
)
def test_builds_and_local_labels(order: list[str]):
    """The highest build (PEP 427), and first the release that was named."""
    files = [IndexFile(name, "u", "") for name in order]
    for listed in itertools.permutations(files):
        assert choose_wheel(listed, "p", "1.0", "amd64") == files[0]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["p-1.0.tar.gz"], "of 1.0.0 it has p-1.0.tar.gz"),
        (
            ["P-1.0-py3-none-win32.whl", "p-1.zip"],
            "of 1.0.0 it has P-1.0-py3-none-win32.whl, p-1.zip",
        ),
        (["p-1.0+cpu-py3-none-win32.whl"], "it has 1.0+cpu"),
        ([f"p-{n}.tar.gz" for n in range(2, 12)], "it has 11, 10, 9 and 7 more"),
        (["q-1.0.tar.gz", "p-one.tar.gz", "p-1.0.tar.gz.asc", "README"], "it has no file of it"),
        ([], "it has no file of it"),
    ],
)
def test_what_there_is_instead(names: list[str], text: str):
    files = [IndexFile(name, "u", "") for name in names]
    assert describe_release(files, "p", "1.0.0") == text

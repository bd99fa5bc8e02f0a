"""What the header of a patch says of its upstream."""

from __future__ import annotations

import pytest

from rvbuild.core.patch_header import says_upstream, upstream_commits

ONE, TWO = "1" * 40, "2f" * 20
HUNK = "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n"
HEADERS = {
    "nothing": ("", False, ()),
    "a version": ("Origin: me\nApplied-Upstream: v1.2\n", True, ()),
    "a commit": (f"applied-upstream: commit:{ONE}\n", True, (ONE,)),
    "an address": (f"Origin: backport, https://example.invalid/commit/{ONE}\n", False, (ONE,)),
    "both": (f"Origin: upstream, {ONE}\nApplied-Upstream: 2, {TWO}\n", True, (ONE, TWO)),
    "the first digits": (f"Origin: upstream, {ONE[:12]}\n", False, ()),
    "more digits": (f"Origin: upstream, {ONE}0\n", False, ()),
    "another field": (f"Bug: {ONE}\n", False, ()),
    "an empty field": ("Applied-Upstream: \n", False, ()),
}


@pytest.mark.parametrize("name", HEADERS)
def test_what_a_patch_says_of_upstream(name: str):
    header, says, commits = HEADERS[name]
    patch = (header + HUNK).encode()
    assert says_upstream(patch) is says
    assert upstream_commits(patch) == frozenset(commits)


def test_what_is_changed_says_nothing():
    patch = f"{HUNK}Applied-Upstream: {ONE}\n".encode()
    assert not says_upstream(patch)
    assert not upstream_commits(patch)

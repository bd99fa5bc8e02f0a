"""Errors of one run: which of them leave the rest as it is."""

from __future__ import annotations

import pytest

from rvbuild.core.errors import (
    CloneError,
    LockError,
    RecipeError,
    RunFailed,
    SandboxError,
    SourceError,
    StoreError,
    UsageError,
    leaves_others_whole,
    raise_failures,
    single_failures,
)

A, B, C = RecipeError("a"), SourceError("b"), StoreError("c")


def test_failures_that_came_together_are_told_alone():
    assert single_failures([A, RunFailed([B, C])]) == [A, B, C]


@pytest.mark.parametrize(
    ("error", "whole"),
    [
        (A, True),
        (B, True),
        (LockError("l"), True),
        (RunFailed([A, B]), True),
        (RunFailed([A, C]), False),
        (C, False),
        (CloneError("d"), True),
        (RunFailed([A, CloneError("d")]), True),
        (SandboxError("s"), False),
        (UsageError("u"), False),
        (ValueError("a bug"), False),
    ],
)
def test_who_can_go_on_after_an_error(error: Exception, *, whole: bool):
    assert leaves_others_whole(error) == whole


def test_several_failures_have_the_code_of_the_first_and_what_went_well():
    with pytest.raises(RunFailed) as caught:
        raise_failures([B, A], ["built"])
    assert (caught.value.exit_code, caught.value.results) == (4, ["built"])
    assert RunFailed([ValueError("a bug"), B]).exit_code == 1


def test_only_an_operation_that_stores_something_says_that_it_is_kept():
    assert str(RunFailed([A, B], ["read"])) == "2 failures"
    with pytest.raises(RunFailed, match="2 failures; what went well is kept"):
        raise_failures([A, B], ["built"], kept=True)

"""Whose word is enough: the policy as text, and that no fewer than it says can decide anything."""

from __future__ import annotations

from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvbuild.core.acceptance import Acceptance, Accepted, Claim, Disagreement, TooFew
from rvbuild.core.digest import Digest

KEYS = ("ci", "lab", "office", "other")
A, B, C = (Digest.of(each) for each in (b"a", b"b", b"c"))
CLAIMS = st.lists(
    st.builds(Claim, st.sampled_from(KEYS), st.sampled_from((A, B, C)), st.booleans()), max_size=8
)
POLICIES = st.lists(st.sampled_from(KEYS), min_size=1, unique=True).flatmap(
    lambda keys: st.builds(Acceptance, st.integers(1, len(keys)), st.just(tuple(keys)))
)
ANY = st.builds(Acceptance, st.integers(1, 3))


def counted(policy: Acceptance, claims: list[Claim]) -> set[Claim]:
    keys = policy.keys or KEYS
    return {each for each in claims if each.key in keys and (each.built or policy.needed == 1)}


@given(policy=POLICIES | ANY, claims=CLAIMS)
def test_an_output_is_accepted_if_just_one_has_enough_who_say_nothing_else(
    policy: Acceptance, claims: list[Claim]
):
    """Against a search through all groups of keys that are large enough."""
    said = counted(policy, claims)
    outputs = {
        output
        for output in (A, B, C)
        for group in combinations(KEYS, policy.needed)
        if all({each.output for each in said if each.key == key} == {output} for key in group)
    }
    verdict = policy.judge(claims)
    if len(outputs) == 1:
        assert isinstance(verdict, Accepted)
        assert {verdict.output} == outputs
        assert len(verdict.keys) >= policy.needed
        assert {*verdict.dissent} == {each for each in said if each.output != verdict.output}
    elif len({each.output for each in said}) > 1:
        assert verdict == Disagreement(verdict.claims)
        assert {*verdict.claims} == said
    else:
        assert verdict == TooFew(policy.needed, verdict.claims)
        assert {*verdict.claims} == said


@given(policy=POLICIES | ANY, claims=CLAIMS, data=st.data())
def test_neither_order_nor_repetition_nor_strangers_change_anything(
    policy: Acceptance, claims: list[Claim], data: st.DataObject
):
    strangers = [Claim("mallory", B)] if policy.keys else []
    again = data.draw(st.permutations([*claims, *claims, *strangers]))
    assert policy.judge(again) == policy.judge(claims)


@given(policy=POLICIES, claims=CLAIMS)
def test_fewer_liars_than_needed_get_no_wrong_output_accepted(
    policy: Acceptance, claims: list[Claim]
):
    liars = {each.key for each in claims}
    if len(liars & {*policy.keys}) < policy.needed:
        assert not isinstance(policy.judge(claims), Accepted)


TABLE = [
    ("ci", [Claim("ci", A)], Accepted(A, ("ci",))),
    ("ci", [Claim("ci", A, built=False)], Accepted(A, ("ci",))),
    ("ci", [Claim("lab", A)], TooFew(1)),
    ("ci", [], TooFew(1)),
    ("1 of [ci, lab]", [Claim("ci", A), Claim("lab", B)],
     Disagreement((Claim("ci", A), Claim("lab", B)))),
    ("1 of [ci, lab]", [Claim("ci", A), Claim("ci", B), Claim("lab", B)],
     Accepted(B, ("lab",), (Claim("ci", A),))),
    ("2 of [ci, lab]", [Claim("ci", A), Claim("ci", A)], TooFew(2, (Claim("ci", A),))),
    ("2 of [ci, lab]", [Claim("ci", A), Claim("lab", A, built=False)],
     TooFew(2, (Claim("ci", A),))),
    ("2 of [ci, lab]", [Claim("ci", A), Claim("lab", B)],
     Disagreement((Claim("ci", A), Claim("lab", B)))),
    ("2 of [ci, lab, office]", [Claim("ci", A), Claim("lab", A), Claim("office", B)],
     Accepted(A, ("ci", "lab"), (Claim("office", B),))),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "claims", "verdict"), TABLE)
def test_verdicts(policy: str, claims: list[Claim], verdict: object):
    for each in permutations(claims):
        assert Acceptance.parse(policy).judge(each) == verdict


@given(policy=POLICIES)
def test_a_policy_is_read_back(policy: Acceptance):
    assert Acceptance.parse(str(policy)) == policy


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("ci", Acceptance(1, ("ci",))),
        (" ci ", Acceptance(1, ("ci",))),
        ("2 of [ci,lab]", Acceptance(2, ("ci", "lab"))),
        ("  2  of  [ ci , lab ] ", Acceptance(2, ("ci", "lab"))),
    ],
)
def test_ways_to_write_one(text: str, policy: Acceptance):
    assert Acceptance.parse(text) == policy


def test_without_names_all_keys_count():
    assert str(Acceptance()) == "1 of all keys"
    assert Acceptance().judge([Claim("x", A)]) == Accepted(A, ("x",))
    assert Acceptance(2).judge([Claim("x", A)]) == TooFew(2, (Claim("x", A),))


@pytest.mark.parametrize(
    "text",
    [
        "", "2 of", "2 of ci", "2 of []", "2 of [ci]", "0 of [ci]", "-1 of [ci]",
        "2 of [ci, ci]", "1 of [ci, ci]", "2 of [ci, lab", "ci, lab", "[ci, lab]", "1 of [ci,]",
        "1of[ci]", "1 of [c i]", "1 of [../ci]", "1.0 of [ci]", "1000 of [ci]", "ci\n",
        "1 of [ci]x", "٢ of [ci, lab]",
    ],
)  # fmt: skip
def test_what_can_never_be_fulfilled_is_no_policy(text: str):
    with pytest.raises(ValueError, match=r"key"):
        Acceptance.parse(text)

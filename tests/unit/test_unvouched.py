"""Sums that no go.sum has: who vouches for them, and until when a lock says that nobody does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest
from answers import answer
from attrs import define, evolve, field, frozen
from instead_world import REF, SUMS, InsteadWorld
from lock_world import H2, Outside
from site_of_bytes import Served, serve_pages
from sum_log import NAME, SumLog, key_of

from rvbuild.core.errors import WrongContent
from rvbuild.core.go_mod_changes import sum_name
from rvbuild.core.go_source import SeenLinesSpec
from rvbuild.core.lock import GoModuleSet, Lock
from rvbuild.core.lock_merge import merge_locks
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.kinds.clients import SourceClients
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.recipes_yaml.lock_text import check_of
from rvbuild.transfers.fetch_settings import FetchSettings
from rvbuild.trust.ed25519 import is_signature

NAMES = tuple(map(sum_name, SUMS))
WHO = {
    "database": {"GOSUMDB": key_of()},
    "nobody": {"GOSUMDB": "off"},
    "private": {"GOSUMDB": key_of(), "GOPRIVATE": "e.org"},
}


@frozen
class OutsideWithSums(Outside):
    """The outside by rule, but for sums: the real clients ask about these."""

    clients: SourceClients = field(kw_only=True)

    def resolve(self, spec: SourceSpec, context: ResolveContext) -> tuple[Source, ...]:
        if isinstance(spec, SeenLinesSpec):
            return self.clients.resolve(spec, context)
        return answer(self, spec, context)


@define
class Site:
    """A proxy that serves a checksum database, and a folder for its clients."""

    served: Served
    tmp: Path
    notices: list[str] = field(factory=list)

    def lock(
        self,
        who: str,
        old: Lock | None = None,
        *,
        offline: bool = False,
        sums: tuple[str, ...] = SUMS,
    ) -> Lock:
        settings = FetchSettings(
            tmp=str(self.tmp),
            offline=offline,
            environment={"GOPROXY": self.served.url, "GOENV": "off", **WHO[who]},
            notice=lambda event: self.notices.append(str(event)),
            is_signature=is_signature,
        )
        clients = SourceClients(settings)
        try:
            outside = OutsideWithSums(clients=clients)
            return InsteadWorld(registries=outside, sums=sums).lock(old)
        finally:
            clients.close()

    @property
    def lookups(self) -> list[str]:
        """The modules that the database was asked about."""
        return [each.path for each in self.served.asked if "/lookup/" in each.path]


@contextmanager
def _site(tmp: Path, *sums: str) -> Iterator[Site]:
    record = "".join(f"{line}\n" for line in sums)
    log = SumLog(["e.org/n v1.0.0 h1:x\n", record])
    with serve_pages(log.pages(f"/sumdb/{NAME}")) as served:
        yield Site(served, tmp)


RUNS = [*product(WHO, (False, True))]


@pytest.mark.parametrize(("second", "second_offline"), RUNS)
@pytest.mark.parametrize(("first", "first_offline"), RUNS)
def test_a_lock_says_what_nobody_vouches_for_until_somebody_does(
    tmp_path: Path, first: str, second: str, *, first_offline: bool, second_offline: bool
):
    """The database alone vouches, where it can be reached; it is asked until it has answered."""
    can_ask, can_ask_then = (
        who == "database" and not offline
        for who, offline in ((first, first_offline), (second, second_offline))
    )
    with _site(tmp_path, *SUMS) as site:
        old = site.lock(first, offline=first_offline)
        entry = old.go_modules[REF]
        assert entry.unvouched == (() if can_ask else NAMES)
        assert len(site.lookups) == can_ask
        assert bool(site.notices) is not can_ask

        site.served.asked.clear()
        site.notices.clear()
        new = site.lock(second, read_lock(write_lock(old).encode(), "l"), offline=second_offline)
        stays = not can_ask and not can_ask_then
        assert new.go_modules[REF] == evolve(entry, unvouched=NAMES if stays else ())
        assert len(site.lookups) == (can_ask_then and not can_ask)
        assert any("private: GONOSUMDB" in each for each in site.notices) is (
            stays and second == "private"
        )
        assert bool(site.notices) is stays


@pytest.mark.parametrize(("who", "offline"), RUNS)
def test_what_a_go_sum_has_is_asked_of_nobody(tmp_path: Path, who: str, *, offline: bool):
    with _site(tmp_path, *SUMS) as site:
        lock = site.lock(who, offline=offline, sums=())
        assert lock.go_modules[REF].unvouched == ()
        assert site.lock(who, lock, offline=offline, sums=()) == lock
        assert (site.served.asked, site.notices) == ([], [])


def test_only_what_nobody_vouches_for_is_asked_about_again(tmp_path: Path):
    """The database has another hash of the zip by now, for which it vouched."""
    with _site(tmp_path, f"{NAMES[0]} {H2}", SUMS[1]) as site:
        lock = _with(site.lock("nobody"), unvouched=NAMES[1:])
        assert site.lock("database", lock).go_modules[REF].unvouched == ()


def test_another_answer_stops_the_lock(tmp_path: Path):
    with _site(tmp_path, SUMS[0], f"{NAMES[1]} {H2}") as site:
        lock = site.lock("nobody")
        with pytest.raises(WrongContent, match=r"another hash of e\.org/lib@v1\.3\.0"):
            site.lock("database", lock)


# ---- in the lock


def _with(lock: Lock, **facts: object) -> Lock:
    entry = evolve(lock.go_modules[REF], **facts)  # type: ignore[arg-type]
    return evolve(lock, go_modules={**lock.go_modules, REF: entry})


def test_a_lock_where_somebody_vouches_for_all_is_as_it_always_was():
    lock = InsteadWorld().lock()
    assert check_of(REF, lock.go_modules[REF]) == "5ebe0344ba40146c"
    assert "unvouched" not in write_lock(lock)


def test_a_lock_names_the_sums_once():
    lock = InsteadWorld().lock()
    marked = _with(lock, unvouched=NAMES)
    text = write_lock(marked)
    assert f"    unvouched: |\n      {NAMES[0]}\n      {NAMES[1]}\n" in text
    assert read_lock(text.encode(), "rvbuild.lock") == marked
    checks = {check_of(REF, _with(lock, unvouched=each).go_modules[REF]) for each in _SUBSETS}
    assert len(checks) == len(_SUBSETS)
    assert marked.go_modules[REF].unvouched_modules == ("e.org/lib@v1.3.0",)


_SUBSETS = ((), NAMES[:1], NAMES[1:], NAMES)


@pytest.mark.parametrize("had", _SUBSETS)
@pytest.mark.parametrize("has", _SUBSETS)
def test_a_check_forgives_a_word_too_many_alone(had: tuple[str, ...], has: tuple[str, ...]):
    old, new = (_with(InsteadWorld().lock(), unvouched=names) for names in (had, has))
    assert new.with_marks_of(old) == (old if {*has} <= {*had} else new)
    other = _with(new, go_sum="0" * 64)
    assert other.with_marks_of(old) == other
    assert new.with_marks_of(Lock()) == new


def test_what_a_step_is_made_of_does_not_say_who_vouches():
    """Who asks later builds nothing again."""
    world = InsteadWorld()
    lock = world.lock()
    assert world.linked(lock) == world.linked(_with(lock, unvouched=NAMES))


def test_two_branches_of_which_one_asked():
    """Both changed the set: what one of them was not asked about stays to be asked."""
    lock = InsteadWorld().lock()
    entry = lock.go_modules[REF]
    base = _with(lock, unvouched=NAMES)

    def side(spec: str, *unvouched: str) -> Lock:
        return _with(lock, specs=(*entry.specs, spec), unvouched=unvouched)

    merged = merge_locks(base, side("a"), side("b", *NAMES[1:])).lock.go_modules[REF]
    assert isinstance(merged, GoModuleSet)
    assert merged.unvouched == NAMES[1:]
    assert merge_locks(base, lock, base).lock.go_modules[REF] == entry

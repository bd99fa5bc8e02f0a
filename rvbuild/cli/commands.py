"""The commands: a row each, with its options and the function that runs it.

Knows: names, options, help texts. Must not know: what a command does. Imports nothing but
argparse: a build with nothing to do pays for this module every time.

To add a command, write its operation in `app`, a function beside this module that calls the
operation and draws what it returns, and a row of `ROWS` with its options.
"""

from __future__ import annotations

from typing import NamedTuple

from rvbuild.cli.option_groups import (
    CACHES,
    COMMON,
    JSON,
    MAKING,
    OUTPUT,
    PINNED,
    RELEASE,
    SOURCES,
    TARGETS,
    TELLING,
    CommandOption,
    folder,
    option,
    whole,
)

STARTERS = ("go", "autotools", "meson", "image")


class CommandRow(NamedTuple):
    """A row.

    Attributes:
        name: What a person writes.
        summary: Its line in the help.
        handler: ``MODULE:FUNCTION`` in this folder, imported when the command is run.
        options: Its options, in the order of the help.
    """

    name: str
    summary: str
    handler: str
    options: tuple[CommandOption, ...]


# ---- the rows

ROWS = (
    CommandRow(
        "build",
        "build targets and run their checks",
        "build:build_command",
        (
            *MAKING,
            option("--no-check", action="store_true", help="do not run the targets' checks"),
            TARGETS,
            OUTPUT,
        ),
    ),
    CommandRow(
        "check",
        "build targets and run every check, however long it takes",
        "build:build_command",
        (*MAKING, TARGETS, OUTPUT),
    ),
    CommandRow(
        "lock",
        "resolve every recipe and write rvbuild.lock",
        "lock:lock_command",
        (
            *COMMON,
            *SOURCES,
            *TELLING,
            option(
                "recipes",
                nargs="*",
                metavar="RECIPE",
                help="only these (NAME, NAME@SERIES, or @SERIES for all that has it), what they "
                "need, and what was read from what changes by that",
            ),
            option(
                "--check", action="store_true", help="write nothing; fail if the lock would change"
            ),
            option(
                "--merge",
                nargs=3,
                metavar=("BASE", "OURS", "THEIRS"),
                help="put two locks together in OURS: what git runs, see docs/format.md",
            ),
        ),
    ),
    CommandRow(
        "outdated",
        "say what pins may be moved to, by what their upstreams have",
        "outdated:outdated_command",
        (
            *COMMON,
            *SOURCES,
            *TELLING,
            *JSON,
            option(
                "recipes",
                nargs="*",
                metavar="RECIPE",
                help="only these (NAME, NAME@SERIES, or @SERIES), and what they are read from",
            ),
            option("--all", action="store_true", help="list also what is up to date, or derived"),
            option(
                "--exit-code",
                action="store_true",
                help="end with 1 if something may be moved, or an override has ended",
            ),
        ),
    ),
    CommandRow(
        "update",
        "move versions, and what follows in recipes and lock",
        "update:update_command",
        (
            *COMMON,
            *SOURCES,
            *JSON,
            *TELLING,
            option(
                "names",
                nargs="*",
                metavar="NAME",
                help="a recipe, RECIPE/SOURCE, or @SERIES (default: all); one whose version is "
                "derived moves what it is derived from",
            ),
            option(
                "--to",
                metavar="REF",
                help="a tag, a commit or its beginning, or a version (default: the highest that "
                "`update` and `min-age` of the recipe let through)",
            ),
            option(
                "--series",
                metavar="SERIES",
                help="the series that moves (default: the default one); one that is not there yet "
                "is added",
            ),
            option(
                "--from",
                metavar="SERIES",
                help="what a new series comes from (default: the default one, or the only one)",
            ),
            option(
                "--set",
                metavar="NAME=VALUE",
                action="append",
                default=[],
                help="what nobody can derive, as end-of-support=2027-02-28; patches=A,B",
            ),
            option("--drop", action="store_true", help="take the series away"),
            option("--dry-run", action="store_true", help="write nothing"),
            option("--markdown", action="store_true", help="for the text of a merge request"),
        ),
    ),
    CommandRow(
        "fetch",
        "bring the sources of targets into the store",
        "build:fetch_command",
        (
            *PINNED,
            *TELLING,
            *JSON,
            TARGETS,
            option("-k", "--keep-going", action="store_true", help="go on after a failure"),
        ),
    ),
    CommandRow(
        "pull",
        "take results from caches, and make nothing",
        "build:build_command",
        (
            *PINNED,
            *CACHES,
            RELEASE,
            *TELLING,
            *JSON,
            option("-k", "--keep-going", action="store_true", help="go on after a failure"),
            option("--no-check", action="store_true", help="also where no check is known to pass"),
            TARGETS,
            OUTPUT,
        ),
    ),
    CommandRow(
        "push",
        "bring results into caches, signed, for others to take",
        "push:push_command",
        (
            *PINNED,
            *CACHES[:1],
            *TELLING,
            *JSON,
            option(
                "--to",
                metavar="NAME",
                action="append",
                default=[],
                help="into this cache (default: those that are set to be written)",
            ),
            option(
                "--all",
                action="store_true",
                help="every target that a link shows and that would be built so now",
            ),
            option(
                "--built-since",
                metavar="DAYS",
                type=whole,
                help="of these, what came into the store within so many days",
            ),
            option("--check", action="store_true", help="send nothing; fail if something lacks"),
            TARGETS,
        ),
    ),
    CommandRow(
        "plan",
        "show what a build would do, and why",
        "inspect:plan_command",
        (*PINNED, *CACHES, RELEASE, *JSON, TARGETS),
    ),
    CommandRow(
        "why",
        "say why a target is not what it was when it was last built",
        "why:why_command",
        (
            *PINNED,
            *CACHES[:1],
            *JSON,
            option("target", metavar="TARGET"),
            option(
                "--against",
                metavar="CACHE[/KEY]",
                help="compare with the last one that somebody brought into this cache (default: "
                "with the last one here)",
            ),
        ),
    ),
    CommandRow(
        "diff",
        "say what changed between two locks, revisions or series",
        "diff:diff_command",
        (
            *COMMON,
            *SOURCES,
            *JSON,
            option(
                "sides",
                nargs="*",
                metavar="SIDE",
                help="a revision of the project's git repository, a lock file, or a series as "
                "k3s@1.34; default: HEAD and the project as it is; one alone: that and the project",
            ),
            option(
                "--target",
                metavar="TARGET",
                action="append",
                default=[],
                help="whether this one would be built again (default: all that both sides have)",
            ),
            option(
                "--commits",
                action="store_true",
                help="also the commits of each git source between the two, but those that touch "
                "only tests or documents",
            ),
            option(
                "--built",
                action="store_true",
                help="the sides are two targets: compare their results, as they are in the store",
            ),
            option("--markdown", action="store_true", help="for the text of a merge request"),
        ),
    ),
    CommandRow(
        "show",
        "describe a target, or list the recipes",
        "show:show_command",
        (
            *PINNED,
            *JSON,
            TARGETS,
            option(
                "--pins",
                action="store_true",
                help="each derived pin with the place it was read from",
            ),
            option(
                "--closure",
                action="store_true",
                help="every source that the target needs, where it is from, and what of them is "
                "prebuilt",
            ),
        ),
    ),
    CommandRow(
        "log",
        "print the log of a target's step, or of its check that failed",
        "inspect:log_command",
        (*PINNED, option("target", metavar="TARGET", help="or the digest of a derivation")),
    ),
    CommandRow(
        "audit",
        "look at results by the rules of today",
        "audit:audit_command",
        (*PINNED, RELEASE, *JSON, TARGETS),
    ),
    CommandRow(
        "doctor",
        "look whether this machine can build",
        "maintain:doctor_command",
        (*COMMON, *JSON),
    ),
    CommandRow(
        "store",
        "look after the store",
        "maintain:store_command",
        (
            *COMMON,
            *JSON,
            *TELLING,
            option(
                "action",
                metavar="verify|repair|path|import",
                choices=["verify", "repair", "path", "import"],
                help="verify: hash everything again; repair: also set aside what is damaged, "
                "so that the next build fetches or makes it anew; import: take over the sources "
                "that another store has, verified, also one of an earlier rvbuild",
            ),
            option("old", nargs="?", metavar="OLD", type=folder, help="the store to import from"),
        ),
    ),
    CommandRow(
        "gc",
        "remove from the store what no result and no recent build needs",
        "maintain:gc_command",
        (
            *COMMON,
            *JSON,
            option("--keep", metavar="DAYS", type=whole, help="keep what was used lately (14)"),
            option(
                "--max-size",
                metavar="SIZE",
                help="leave at most so much, as 20GiB: what was not used for longest goes first; "
                "results that links show stay",
            ),
        ),
    ),
    CommandRow(
        "keys",
        "make keys that sign results, and trust those of others",
        "keys:keys_command",
        (
            *COMMON,
            *JSON,
            *TELLING,
            option(
                "action",
                nargs="?",
                default="list",
                metavar="list|new|trust|revoke|rotate",
                choices=["list", "new", "trust", "revoke", "rotate"],
                help="list: show those that are here or trusted; new NAME: make a key; trust FILE "
                "or TEXT: put a public key into the project's cache/keys/; revoke NAME --why TEXT: "
                "accept nothing that it signed; rotate NAME: make the key that follows it",
            ),
            option("subject", nargs="?", metavar="NAME|FILE|TEXT"),
            option("--why", metavar="TEXT", help="why a key is revoked, for others to read"),
            option(
                "--user",
                action="store_true",
                help="trust: for yourself alone, and not for the project",
            ),
        ),
    ),
    CommandRow(
        "caches",
        "look after the caches of results that are set",
        "caches:caches_command",
        (
            *COMMON,
            *CACHES[:1],
            *JSON,
            *TELLING,
            option(
                "action",
                nargs="?",
                default="list",
                metavar="list|add|remove|test|stat|gc|verify",
                choices=["list", "add", "remove", "test", "stat", "gc", "verify"],
                help="list: what each gave and cost, and whether it answers; add NAME ADDRESS and "
                "remove NAME: in a file of settings; test NAME: what it lets you do; stat NAME: "
                "what it holds; gc NAME: remove what nobody can reach; verify NAME: read all of it",
            ),
            option("subject", nargs="?", metavar="NAME"),
            option("address", nargs="?", metavar="ADDRESS"),
            option("--write", action="store_true", help="add: bring results there, too"),
            option("--user", action="store_true", help="add, remove: for yourself alone"),
            option("--project", action="store_true", help="add, remove: for the project"),
            option(
                "--max-size",
                metavar="SIZE",
                help="gc: leave at most so much beside what targets need, as 200GiB: what was "
                "written longest ago goes first",
            ),
            option("--dry-run", action="store_true", help="gc: only say what would go"),
            option(
                "--remove",
                action="store_true",
                help="verify: remove damaged objects, so that the next push brings them again",
            ),
        ),
    ),
    CommandRow(
        "serve",
        "let others read what was built here, as a cache",
        "serve:serve_command",
        (
            *COMMON,
            *CACHES[:1],
            *JSON,
            *TELLING,
            option(
                "--bind",
                metavar="ADDRESS",
                default="127.0.0.1",
                help="an address of this machine (127.0.0.1: nobody else reaches it; 0.0.0.0: all)",
            ),
            option("--port", metavar="N", type=whole, default=8470, help="0: any (8470)"),
        ),
    ),
    CommandRow(
        "config",
        "show each setting, its value, and who set it",
        "config:config_command",
        (*COMMON, *JSON),
    ),
    CommandRow(
        "init",
        "write the recipe of a new package, to begin with",
        "init:init_command",
        (
            *COMMON,
            *TELLING,
            option("name", metavar="NAME"),
            option(
                "starter", nargs="?", choices=STARTERS, default=STARTERS[0], help="what it is (go)"
            ),
        ),
    ),
)

COMMANDS = {row.name: row for row in ROWS}

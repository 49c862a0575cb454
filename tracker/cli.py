"""The command line `hobnob-tracker`: verbs, options, exit codes 0, 1, 2 and 130.

What lives here: reading arguments and printing answers. Everything heavy is imported by the verb that needs
it. The common options may stand before or after the verb.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tracker.errors import TrackerError
from tracker.output import DONE, INTERRUPTED, Output, exit_code, hold_standard_descriptors
from wire.codes import Code

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

    from tracker.config import Config

DESCRIPTION = "Host a meeting place for Hobnob: accounts, friends, presence and addresses."


Run = Callable[[argparse.Namespace, Path, Output], int]


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing and exiting."""

    def error(self, message: str) -> NoReturn:
        raise TrackerError(Code.USAGE, message, remedy=f"see: {self.prog} --help")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Print help; argparse itself would say nothing of an output that takes none."""
        from tracker.output import output_failed

        try:
            (file or sys.stdout).write(message)
            sys.stdout.flush()
        except OSError as error:
            raise output_failed() from error


def parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    common = _Parser(add_help=False, allow_abbrev=False)
    common.add_argument(
        "--home",
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="where the tracker keeps everything (default: HOBNOB_TRACKER_HOME, else the platform's"
        " user data folder)",
    )
    common.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="results and errors as one JSON object a line",
    )
    top = _Parser(
        prog="hobnob-tracker", description=DESCRIPTION, parents=[common], allow_abbrev=False
    )
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Parser)
    _add_serve(
        verbs.add_parser(
            "serve",
            parents=[common],
            allow_abbrev=False,
            help="run until stopped",
            description="Run the tracker until it is stopped (SIGTERM or Ctrl-C).",
        )
    )
    users = verbs.add_parser(
        "users",
        parents=[common],
        allow_abbrev=False,
        help="list the accounts",
        description="List the accounts of the running tracker: role, presence, devices, last seen.",
    )
    users.add_argument("--online", action="store_true", help="only those who are connected now")
    return top


def _add_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument(
        "--listen",
        metavar="HOST:PORT",
        action="append",
        default=[],
        help="where to listen; may be given several times; port 0 is a free one"
        " (default: [::]:9797 and 0.0.0.0:9797)",
    )
    serve.add_argument(
        "--max-peers", metavar="N", help="how many devices may be connected at once (default: any)"
    )
    serve.add_argument(
        "--registration",
        choices=["open", "closed"],
        default="open",
        help="whether anybody may make an account here (default: open)",
    )
    serve.add_argument(
        "--probe",
        metavar="HOST:PORT|off",
        help="a second port, on which peers compare how their routers map them before they dial each other at"
        " one moment (default: the first listener's host, next free port)",
    )
    serve.add_argument(
        "--metrics",
        metavar="HOST:PORT",
        help="where http://HOST:PORT/metrics gives counts for Prometheus to anybody who asks (default: nowhere)",
    )
    serve.add_argument(
        "--relay",
        choices=["on", "off"],
        default="on",
        help="whether friends whose machines cannot reach each other are joined here; what passes is sealed"
        " between them (default: on)",
    )
    serve.add_argument(
        "--limit",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="change a limit; tracker/OPERATING.md lists them; may be given several times",
    )


def main(argv: Sequence[str] | None = None, verbs: Mapping[str, Run] | None = None) -> int:
    """Run one verb.

    argv: the arguments without the program's name; None: those of this process. verbs: what does each, in
    place of VERBS. Gives the exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    hold_standard_descriptors()
    output = Output(is_json="--json" in words)
    try:
        return _run(words, output, VERBS if verbs is None else verbs)
    except TrackerError as error:
        output.error(error)
        return exit_code(error)
    except KeyboardInterrupt:
        output.error(TrackerError(Code.INTERRUPTED))
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  the top of the program: one line, never a traceback
        output.error(TrackerError(Code.INTERNAL, f"{type(error).__name__}: {error}"))
        return exit_code(TrackerError(Code.INTERNAL))


def _run(words: list[str], output: Output, verbs: Mapping[str, Run]) -> int:
    if sys.stdout is None:
        raise TrackerError(Code.OUTPUT_FAILED, "standard output is closed")
    if words in ([], ["--json"]):
        raise TrackerError(Code.USAGE, "a verb is missing", remedy="see: hobnob-tracker --help")
    _check_verb(words)
    try:
        arguments = parser().parse_args(words)
    except SystemExit as ended:  # --help has printed
        return ended.code if isinstance(ended.code, int) else DONE
    home = getattr(arguments, "home", None) or os.environ.get("HOBNOB_TRACKER_HOME")
    return verbs[arguments.verb](arguments, _home(home), output)


def _home(named: str | None) -> Path:
    from tracker.home import default_home

    if named is None:
        return default_home()
    if "\0" in named:
        raise TrackerError(Code.HOME_UNUSABLE, "--home has a zero character")
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError as error:  # ~somebody who is no user here
        raise TrackerError(Code.HOME_UNUSABLE, f"{named} is nobody's home") from error


def _check_verb(words: list[str]) -> None:
    """Refuse a verb that does not exist, naming the nearest."""
    rest = iter(words)
    for word in rest:
        if word == "--home":
            next(rest, None)
        elif not word.startswith("-"):
            if word not in VERBS:
                near = difflib.get_close_matches(word, VERBS, 1, 0.4)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise TrackerError(
                    Code.USAGE,
                    f"there is no verb {word!r}",
                    remedy=f"{hint}the verbs are {' and '.join(VERBS)}",
                )
            return


def configured(arguments: argparse.Namespace, home: Path) -> Config:
    """Give what `serve` with these arguments runs with; raises TrackerError for wrong ones."""
    from tracker.config import (
        DEFAULT_LISTEN,
        Config,
        Registration,
        parse_count,
        parse_limits,
        parse_listen,
    )

    listen = tuple(parse_listen(text) for text in arguments.listen)
    return Config(
        home=home,
        listen=listen or DEFAULT_LISTEN,
        is_default_listen=not listen,
        max_peers=parse_count("--max-peers", arguments.max_peers),
        registration=Registration(arguments.registration),
        is_relay=arguments.relay == "on",
        probes=arguments.probe != "off",
        probe=None
        if arguments.probe in (None, "off")
        else parse_listen(arguments.probe, "--probe"),
        metrics=None if arguments.metrics is None else parse_listen(arguments.metrics, "--metrics"),
        limits=parse_limits(arguments.limit),
    )


def _serve(arguments: argparse.Namespace, home: Path, output: Output) -> int:
    from tracker.server import run

    return run(configured(arguments, home), output)


def _users(arguments: argparse.Namespace, home: Path, output: Output) -> int:
    from tracker.control import ask
    from tracker.home import Home

    return print_users(ask(Home(home).control, "users", {"online": arguments.online}), output)


def print_users(users: Iterable[dict[str, object]], output: Output) -> int:
    """Print the accounts as they come; gives the exit code."""
    with suppress(BrokenPipeError):
        for user in users:
            output.result(user, _user_line(user))
    return DONE


def _user_line(user: dict[str, object]) -> str:
    seen = user["last_seen"] or "never"
    devices = "1 device" if user["devices"] == 1 else f"{user['devices']} devices"
    return (
        f"{user['name']:<32} {user['role']:<9} {user['presence']:<9}"
        f" {devices:<10}  last seen {seen}"
    )


VERBS: dict[str, Run] = {
    "serve": _serve,
    "users": _users,
}

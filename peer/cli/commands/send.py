"""`hobnob send`: offer files and folders to friends."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import quantities, spool
from peer.cli.arguments import Arguments
from peer.cli.commands.options import absolute, add_password_file, password_of
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Misuse
from peer.cli.plain import clean
from peer.cli.progress import Waiting, tell
from peer.sizes import bytes_text, count_text


def declare_send(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "to", metavar="TO[,TO...]", help="friends' names; your own: your other machines"
    )
    arguments.add_argument(
        "paths", metavar="PATH", nargs="+", help="files and folders; - is stdin under --name"
    )
    arguments.add_argument("--wait", action="store_true", help="stay until it has arrived")
    arguments.add_argument(
        "--timeout", metavar="SECONDS", help="with --wait: stay no longer than that"
    )
    arguments.add_argument(
        "--name", metavar="NAME", help="what to call the offer, and the file from stdin"
    )
    add_password_file(arguments)


def run_send(console: Console, options: Namespace) -> None:
    """Offer them."""
    friends = [name for name in options.to.split(",") if name]
    if not friends:
        raise Misuse("nobody is named to send to")
    if options.timeout is not None and not options.wait:
        raise Misuse("--timeout bounds --wait, which is not there")
    timeout_s = quantities.duration(options.timeout) if options.timeout is not None else None
    if "-" in options.paths:
        if options.name is None or options.paths.count("-") > 1:
            raise Misuse("what comes from stdin needs a --name, and can be sent once")
        if options.password_file == "-":
            raise Misuse("the file and the password cannot both come from stdin")
    password = password_of(options)
    held = spool.keep_stdin(console, options.name) if "-" in options.paths else None
    paths = [str(held.path) if held and path == "-" else absolute(path) for path in options.paths]
    waiting = Waiting(console)

    def show(item: Item) -> None:
        if "verified_bytes" in item:
            waiting.show(item)
            return
        console.emit(item, _text(item))
        for skipped in _skipped(item):
            tell(console, f"left out {clean(skipped['path'])}: {clean(skipped['reason'])}")
        if item["leaves_when_up"]:
            tell(console, "no node is up here: the files leave when `hobnob up` runs")

    request: Item = {
        "to": friends,
        "paths": paths,
        "name": options.name,
        "wait": options.wait,
        "timeout_s": timeout_s,
    }
    try:
        with waiting:
            console.ask("OfferFiles", request, show, password=password)
    except Exception as error:
        # An interrupt, or a node that vanished, may come after the commit: then the stream has to stay.
        code = getattr(error, "code", None)
        if held and getattr(code, "value", code) != "node-vanished":
            held.drop_unless_offered()
        raise
    waiting.finish()


def _text(item: Item) -> str:
    what = f"{count_text(item['files'], 'file')}, {bytes_text(float(str(item['bytes'])))}"
    return f"offered {what}: {clean(item['offer'])[:12]}"


def _skipped(item: Item) -> list[dict[str, str]]:
    skipped = item["skipped"]
    return (
        [entry for entry in skipped if isinstance(entry, dict)] if isinstance(skipped, list) else []
    )

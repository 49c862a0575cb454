"""`hobnob say`: a message to a friend."""

from __future__ import annotations

import sys
from argparse import Namespace

from peer.cli import quantities
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Failure, Misuse
from peer.cli.plain import clean

_MESSAGE_BYTES = 64 * 1024  # wire.limits.MESSAGE_BYTES, checked equal by a test: one read decides


def declare_say(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("to", metavar="TO", help="a friend's name, or your own: a note")
    arguments.add_argument(
        "text", metavar="TEXT", help="the message as one argument; - reads it from stdin"
    )
    arguments.add_argument("--reply", metavar="ID", help="the message it answers")
    arguments.add_argument(
        "--wait",
        metavar="SECONDS",
        help="stay until it is delivered or the time is over; 0: only until it is kept",
    )
    add_password_file(arguments)


def run_say(console: Console, options: Namespace) -> None:
    """Say it."""
    text = text_of(options)
    wait_s = quantities.duration(options.wait) if options.wait is not None else None
    request: Item = {"to": options.to, "text": text, "reply_to": options.reply, "wait_s": wait_s}
    console.ask(
        "SendText",
        request,
        lambda item: console.emit(item, f"{clean(item['state'])}  {clean(item['id'])[:12]}"),
        password=password_of(options),
    )


def text_of(options: Namespace) -> str:
    """Give the words of a message: the argument TEXT, or what stdin says if that is a dash."""
    if options.text != "-":
        return str(options.text)
    if options.password_file == "-":
        raise Misuse("the message and the password cannot both come from stdin")
    return _from_stdin()


def _from_stdin() -> str:
    """Give stdin's text without one trailing newline; never reads more than a message may have."""
    if sys.stdin is None:
        raise Failure("message-empty", "the message shall come from stdin, which is closed")
    raw = sys.stdin.buffer.read(_MESSAGE_BYTES + 2)
    raw = raw.removesuffix(b"\n")
    if len(raw) > _MESSAGE_BYTES:
        raise Failure("message-too-long")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Failure("text-invalid", "what stdin gave is no UTF-8 text") from error

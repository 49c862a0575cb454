"""Stderr, signals and exit codes: the one place that turns whatever ends a verb into a line and a number.

    0    done, also after SIGTERM
    1    refused or failed: `error: CODE: what happened; what to do next`
    2    wrong usage
    130  interrupted

With `--json` the line is `{"error": {"code", "message", "remedy"}}`. Never a traceback: what nobody
foresaw is `internal` and names the file below the home that holds the details.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

DONE = 0
FAILED = 1
MISUSED = 2
INTERRUPTED = 130

SHOWN_CHARS = 1000  # of what happened; a sentence may quote an argument, and an argument 128 KiB
LEFT_CHARS = 200  # of its end where it is cut: there stands what is wrong with what it quotes


class Failure(Exception):
    """A verb did not do what was asked; `code` is one of the closed list of `wire.codes`.

    message: what happened. remedy: what to do next. Both empty stand for the code's own sentences.
    """

    exit_code = FAILED

    def __init__(self, code: str, message: str = "", remedy: str = "") -> None:
        super().__init__(code, message, remedy)
        self.code = code
        self.message = message
        self.remedy = remedy


class Misuse(Failure):
    """The command line is not understood; an empty remedy becomes the way to the verb's help."""

    exit_code = MISUSED

    def __init__(self, message: str, remedy: str = "", *, code: str = "usage") -> None:
        super().__init__(code, message, remedy)


class Terminated(BaseException):
    """SIGTERM or SIGHUP came: stop cleanly; the exit code is 0."""


def guard(
    body: Callable[[], None], *, is_json: Callable[[], bool], log: Callable[[str], str]
) -> int:
    """Run a verb and give its exit code.

    is_json: whether errors are JSON, asked when one is there. log: keeps the details of an unforeseen
    error and gives the path of the file.
    """
    hold_standard_descriptors()
    _prepare_streams()
    try:
        catch_signals()
        try:
            body()
            flush()
        except BaseException:
            _ignore_signals()  # a second Ctrl-C must not tear the clean-up below
            raise
    except Terminated:
        return DONE
    except KeyboardInterrupt:
        return _report(Failure("interrupted"), is_json(), INTERRUPTED)
    except Failure as failure:
        return _report(failure, is_json(), failure.exit_code)
    except Exception as error:  # noqa: BLE001 - the top of the program
        told = _translate(error, log)
        return _report(told, is_json(), told.exit_code)
    finally:
        _flush_or_drop()
    return DONE


def note(text: str) -> None:
    """Say something that is neither result nor error: one line on stderr, if there is a stderr."""
    if sys.stderr is not None:
        try:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass  # nobody listens there; the verb goes on


def _translate(error: Exception, log: Callable[[str], str]) -> Failure:
    from peer.errors import PeerError
    from wire.errors import WireError

    if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        inner = error.exceptions[0]
        if isinstance(inner, Exception):
            return _translate(inner, log)
    if isinstance(error, Failure):
        return error
    if isinstance(error, PeerError):
        return Failure(error.code.value, error.message, error.remedy)
    if isinstance(error, WireError):
        return Failure(error.code.value, error.detail)
    if isinstance(error, OutputFailed):
        return Failure("output-failed", f"the output could not be written: {error}")
    import traceback

    path = log("".join(traceback.format_exception(error)))
    kind = type(error).__name__
    if path:
        return Failure("internal", f"{kind}; the details are in {path}", "report it with that file")
    return Failure("internal", f"{kind}: {error}", "report it")


class OutputFailed(Exception):
    """Standard output is closed, full, or nobody reads it any more."""


def _report(failure: Failure, is_json: bool, exit_code: int) -> int:
    message, remedy = failure.message, failure.remedy
    if not (message and remedy):
        from wire.sentences import (
            SENTENCES,
        )  # not the enum: making it takes longer than this verb may

        what, known_remedy = SENTENCES.get(failure.code, SENTENCES["internal"])
        message, remedy = message or what, remedy or known_remedy
    message, remedy = _bounded(message), _bounded(remedy)
    if is_json:
        body = {"code": failure.code, "message": message, "remedy": remedy}
        note(json.dumps({"error": body}))
    else:
        from peer.cli.plain import clean

        note(f"error: {failure.code}: {clean(message)}; {clean(remedy)}")
    return exit_code


def _bounded(sentence: str) -> str:
    """Give a sentence that a person can read, whatever it quotes."""
    if len(sentence) <= SHOWN_CHARS:
        return sentence
    return f"{sentence[: SHOWN_CHARS - LEFT_CHARS]}[...]{sentence[-LEFT_CHARS:]}"


def hold_standard_descriptors() -> None:
    """Put nothing in the place of a stdin, stdout or stderr that was closed when the program began.

    Else a socket or the database got its number, and what is meant for stderr went there.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def _prepare_streams() -> None:
    # An ASCII locale, or a name that is no text at all, must not end in UnicodeEncodeError.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def catch_signals() -> None:
    """Let SIGTERM and SIGHUP end the verb cleanly, and SIGINT interrupt it."""
    for number in terminating():
        signal.signal(number, _on_terminate)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def terminating() -> list[signal.Signals]:
    """List the signals that end a verb cleanly: SIGTERM, and SIGHUP unless it is ignored, as under nohup."""
    found = [signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        found.append(signal.SIGHUP)
    return found


def _ignore_signals() -> None:
    for number in (signal.SIGINT, *terminating()):
        signal.signal(number, signal.SIG_IGN)


def _on_terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def _flush_or_drop() -> None:
    # Whatever is still buffered for a broken stdout would end in a traceback when the interpreter leaves.
    try:
        flush()
    except OutputFailed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


_held: list[bytes] = []


def write(line: bytes, *, is_last: bool = True) -> None:
    """Write one result to stdout; raises OutputFailed where that is impossible.

    is_last: it leaves at once, else whoever writes calls `flush` soon.
    """
    _held.append(line)
    if is_last:
        flush()


def flush() -> None:
    """Let what was written leave, in one piece; raises OutputFailed where that is impossible."""
    lines = b"".join(_held)
    _held.clear()
    if sys.stdout is None:
        if lines:
            raise OutputFailed("standard output is closed")
        return
    try:
        if lines:
            sys.stdout.buffer.write(lines)
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        raise OutputFailed(_reason(error)) from error

"""The way from a verb to the door: through the running node's socket, or in this process if none is up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from peer.cli.exit_codes import (
    Failure,
    OutputFailed,
    Terminated,
    catch_signals,
    terminating,
)
from peer.control import client

if TYPE_CHECKING:
    from peer import api
    from peer.cli.passwords import PasswordSource

Item = dict[str, object]

FLUSHED_S = 0.01
"""How long items are gathered that nobody waits for: to wake a reader costs as much as half a message (2026-11: 0.1 ms)."""

FLUSHES_AT_ONCE = 8
"""So often a reader is woken without that, where it was not woken for as much longer before: an end is told at once."""


def ask(
    home: Path,
    do: str,
    arguments: Item,
    on_item: Callable[[Item], None],
    *,
    password: PasswordSource,
    alone: Item | None,
) -> None:
    """Carry out command `do` for `home`, see `Console.ask`."""
    try:
        for item in client.ask(home, do, arguments):
            on_item(item)
    except client.NotRunning as nobody:
        request_id = nobody.request_id  # nobody serves this home: the work is ours
    except client.Failed as failed:
        raise Failure(failed.code, failed.message, failed.remedy) from failed
    else:
        return
    from peer import api, door

    command = api.COMMANDS[do](**_typed({**arguments, **(alone or {})}))
    drive(lambda: door.run(home, command, password=password, request_id=request_id), on_item)


def _typed(arguments: Item) -> dict[str, tuple[object, ...] | object]:
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in arguments.items()
    }


def drive(
    start: Callable[[], AsyncIterator[api.Result]],
    on_item: Callable[[Item], None],
    flush: Callable[[], None] | None = None,
) -> None:
    """Run an asynchronous iterator of results to its end, or until a signal comes.

    flush: called when an item came, at once, but in the long run every FLUSHED_S at most, and at the end by `guard`.
    SIGTERM and SIGINT cancel it once, so that its clean-up runs; then raises Terminated or
    KeyboardInterrupt.
    """
    import asyncio
    import signal

    from peer import api

    ended_by: list[type[BaseException] | BaseException] = []

    async def consume() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None

        def stop(reason: type[BaseException] | BaseException) -> None:
            if not ended_by:
                ended_by.append(reason)
                task.cancel()

        flushing: list[asyncio.Handle] = []
        paid_until = loop.time()

        def flush_all(flush: Callable[[], None]) -> None:
            nonlocal paid_until
            flushing.clear()
            paid_until = max(paid_until, loop.time()) + FLUSHED_S
            try:
                flush()
            except OutputFailed as failed:
                stop(failed)

        # Raised wherever the program happens to be, each would come out of a task as a group of errors.
        for number in terminating():
            loop.add_signal_handler(number, stop, Terminated)
        loop.add_signal_handler(signal.SIGINT, stop, KeyboardInterrupt)
        results = start()
        try:
            async for result in results:
                on_item(api.as_json(result))
                if flush is not None and not flushing:
                    due = max(paid_until - (FLUSHES_AT_ONCE - 1) * FLUSHED_S, loop.time())
                    flushing.append(loop.call_at(due, flush_all, flush))
        finally:
            close = getattr(results, "aclose", None)
            if close is not None:
                await close()

    try:
        asyncio.run(consume())
    except asyncio.CancelledError:
        if not ended_by:
            raise
    finally:
        catch_signals()  # the loop gave them back to the system's defaults
    if ended_by:
        raise ended_by[0]

"""The way out: several addresses raced, and sockets that stay on an interface or an address."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import socket
from collections.abc import AsyncIterator

import pytest

from peer.listener import open_listeners, place_of
from peer.reach import outward
from peer.settings.quantities import OFF, one_interface

HERE = socket.AF_INET


class Door:
    """Takes connections, and knows from where each came."""

    def __init__(self) -> None:
        self.came: list[str] = []

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.place = self._server.sockets[0].getsockname()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came.append(writer.get_extra_info("peername")[0])
        writer.write(b"!")
        writer.close()

    def close(self) -> None:
        self._server.close()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    await made.open()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ECONNREFUSED, "Connect call failed ('::1', 9)"), "its machine says no"),
        (OSError(errno.ENETUNREACH, "Connect call failed"), "its own network"),
        (OSError(errno.EPIPE, "Connect call failed"), "Broken pipe"),
        (socket.gaierror(socket.EAI_NONAME, "the name is not known"), "the name is not known"),
        (OSError("no errno at all"), "no errno at all"),
        (TimeoutError(), "it did not answer in time"),
        (EOFError(), "it closed the connection"),
    ],
)
def test_why_an_address_did_not_serve_is_said_in_words(
    error: OSError | EOFError, said: str
) -> None:
    assert said in outward.why(error)
    assert "Connect call" not in outward.why(error)


async def greeted(opened: socket.socket) -> bytes:
    with opened:
        return await asyncio.get_running_loop().sock_recv(opened, 1)


async def test_the_first_that_stands_wins_though_one_before_it_swallows_everything(
    door: Door,
) -> None:
    with socket.socket() as full, socket.socket() as one, socket.socket() as other:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (one, other):  # what nobody accepts fills it: a further one is not answered
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        hole = (HERE, full.getsockname())
        opened = await outward.race([hole, (HERE, door.place)], head_start_s=0.05)
        assert await greeted(opened) == b"!"


async def test_what_fails_at_once_costs_no_head_start_and_is_told_if_nothing_stands() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        place = (HERE, closed.getsockname())  # taken, so that nobody else listens there
        async with asyncio.timeout(90):
            with pytest.raises(ConnectionRefusedError):
                await outward.race([place, place], head_start_s=60.0)
    with pytest.raises(OSError, match="no address"):
        await outward.race([])


async def test_a_name_is_looked_up_and_one_that_cannot_be_is_an_error(door: Door) -> None:
    assert await greeted(await outward.connect("localhost", door.place[1])) == b"!"
    for wrong in ("a" * 70 + ".example", "..", "nosuch.invalid"):
        with pytest.raises(OSError, match=r".+"):
            await outward.connect(wrong, 9)


async def test_everything_stays_on_an_address(door: Door) -> None:
    outward.stay_on(lambda: "127.0.0.2")
    for opened in (await outward.dial(*door.place), await outward.connect(*door.place)):
        assert await greeted(opened) == b"!"
    assert door.came == ["127.0.0.2"] * 2
    with pytest.raises(OSError, match=r"stays on 127\.0\.0\.2"):
        await outward.dial("::1", door.place[1])
    (listener,) = open_listeners((), 0)
    with listener:
        assert place_of(listener).startswith("127.0.0.2:")


async def test_everything_stays_on_an_interface(door: Door) -> None:
    outward.stay_on(lambda: "lo")
    assert await greeted(await outward.dial(*door.place)) == b"!"
    outward.stay_on(lambda: "nosuch0")
    with pytest.raises(OSError, match=r".+"):
        await outward.dial(*door.place)


@pytest.mark.parametrize(
    ("host", "is_small"),
    [("8.8.8.8", True), ("192.168.1.7", True), ("2a01::7", True), ("127.0.0.1", False)],
)
def test_segments_pass_anywhere_but_where_nothing_is_on_the_way(host: str, is_small: bool) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as made:
        outward.keep_small(made, host)
        segment = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        assert (segment == outward.SEGMENT_BYTES) is is_small


async def test_what_one_task_chose_holds_for_what_it_makes_and_nobody_else(door: Door) -> None:
    elsewhere = contextvars.copy_context()
    elsewhere.run(outward.stay_on, lambda: "127.0.0.2")
    await greeted(await outward.dial(*door.place))
    assert door.came == ["127.0.0.1"]


def test_an_interface_or_an_address_has_one_spelling() -> None:
    assert [one_interface(text) for text in ("eth0", " wg0.7 ", "::0001", "10.0.0.1", "none")] == [
        *("eth0", "wg0.7", "::1", "10.0.0.1", OFF)
    ]
    for wrong in ("", "0.0.0.0", "::", "224.0.0.1", "fe80::1%eth0", "a b", "x" * 16, "../eth0"):
        with pytest.raises(ValueError, match=r".*"):
            one_interface(wrong)

"""A tracker that says what a test wants it to: the second client's hands, a socket, and answers by a table.

It knows the protocol and keeps nothing but what was registered. A lie is one entry of `lies`: what is answered
in place of the truth, or said unasked.
"""

from __future__ import annotations

import base64
import os
import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from tests.harness.trackers import WAIT_S
from tests.independent import values
from tests.independent.link import Ended, Link, octets
from tests.independent.msgpack import Value
from tests.independent.noise import public_of

Fields = Sequence[Value]
Answer = tuple[str, Fields]
Lie = Callable[[list[Value]], list[Answer]]

THEN = 1_767_225_600_000


class LyingTracker:
    """Listens until the context is left.

    lies: by the request's name, what is said instead of the true answer. unasked: what is said after the friend list of Enter.
    nonsense: gives the plaintexts of records that follow it, whatever they are.
    heard: every request, in order.
    """

    def __init__(self) -> None:
        self.private = os.urandom(32)
        self.key = public_of(self.private)
        self.lies: dict[str, Lie] = {}
        self.unasked: list[Answer] = []
        self.nonsense: Callable[[], list[bytes]] = list
        self.heard: list[tuple[str, list[Value]]] = []
        self.account: list[Value] = []  # the fields of Register
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._news = threading.Condition()
        self._is_over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._links: list[Link] = []

    @property
    def address(self) -> str:
        """Where it is, with its key."""
        port = self._listener.getsockname()[1]
        key = base64.urlsafe_b64encode(self.key).decode().rstrip("=")
        return f"hobnob://127.0.0.1:{port}/#{key}"

    def __enter__(self) -> Self:
        self._spawn(self._listen)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        for link in list(self._links):
            link.wire.shut()
        for thread in list(self._threads):
            thread.join(WAIT_S)
        self._listener.close()

    def asked(self, name: str) -> list[list[Value]]:
        """Give the fields of every request of a name that came."""
        return [fields for one, fields in self.heard if one == name]

    def wait(self, name: str, times: int) -> None:
        """Wait until a request of a name came so often."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.asked(name)) >= times, WAIT_S), self.heard

    @property
    def identity(self) -> bytes:
        """Give the identity of whoever registered."""
        return octets(self.account, 2)

    # --- inside

    def _spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while not self._is_over.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._spawn(partial(self._serve, connection))

    def _serve(self, connection: socket.socket) -> None:
        try:
            link = Link.accept(connection, own=self.key, static=self.private)
        except Ended:
            return
        self._links.append(link)
        try:
            link.hear("Hello", "HelloAnonymous")
            link.is_open()
            link.say("HelloTracker", os.urandom(16), values.now_ms(), 0)
            while True:
                name, fields = link.next()
                with self._news:
                    self.heard.append((name, fields))
                    self._news.notify_all()
                lie = self.lies.get(name)
                for said, content in [self.truth(name, fields)] if lie is None else lie(fields):
                    link.say(said, *content)
                    if said == "Entered":
                        link.say("FriendsPage", [], True)
                        for unasked, more in self.unasked:
                            link.say(unasked, *more)
                        link.say("MailboxState", 0, 100, True)  # a verb waits until it is said
                        for record in self.nonsense():
                            link.say_record(record)
        except (Ended, OSError):
            return
        finally:
            link.wire.close()

    def truth(self, name: str, fields: list[Value]) -> Answer:
        """Answer as an honest tracker with one account does."""
        request = fields[0]
        if name == "Register":
            self.account = fields
            return "Done", [request]
        if name in {"AskKdf", "LogIn", "Enter"} and not self.account:
            return "Refused", [request, "no-such-user", "", 0]
        if name == "AskKdf":
            return "Kdf", [request, *self.account[3:7], False]
        if name == "LogIn":
            identity, vault, device_list = self.account[2], self.account[8], self.account[11]
            return "LoggedIn", [request, identity, vault, 1, THEN, device_list, 0]
        if name == "Enter":
            who = [self.account[1], self.account[11], 1, 0]
            return "Entered", [request, *who, "127.0.0.1", 9, ""]
        if name == "AskState":
            return "State", [request, 0, 0, 0, b""]
        if name == "PutState":
            return "StatePut", [request, 1]
        if name == "PutPrekeys":
            return "PrekeysHeld", [request, 100]
        if name == "AskMail":
            return "Mail", [request, []]
        if name in {"AskDirectory", "AskUser"}:
            return "Refused", [request, "not-friends", "", 0]
        return "Done", [request]

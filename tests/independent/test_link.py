"""The second client's own connections: what it says last is heard, whatever it left unread."""

from __future__ import annotations

import socket
import threading

from tests.independent.link import PATIENCE_S, Wire


def test_what_is_said_before_an_end_is_heard_though_not_all_that_came_was_read() -> None:
    """A socket that is closed with something unread in it has the system reset the connection under its reader."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire = Wire(socket.create_connection(listener.getsockname()))
        there, _ = listener.accept()
    with there:
        there.settimeout(PATIENCE_S)
        there.sendall(b"nobody reads this")
        wire.send(b"the last word")
        ending = threading.Thread(target=wire.finish)
        ending.start()
        heard = b""
        while piece := there.recv(100):
            heard += piece
    ending.join(PATIENCE_S)
    assert heard == b"the last word"
    assert wire.connection.fileno() == -1

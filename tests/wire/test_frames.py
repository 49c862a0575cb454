"""The outside of the stream: what is not ours is named, and no length is believed beyond its bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import frames
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.limits import PRE_OPEN_FRAME_BYTES, TAG_BYTES
from wire.messages import Purpose


def _refuse(start: bytes) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        frames.read_preamble(start)
    return caught.value


@pytest.mark.parametrize("purpose", Purpose)
def test_a_preamble_is_eight_bytes_and_is_read_back_from_them_alone(purpose: Purpose) -> None:
    start = frames.preamble(purpose)
    assert start == b"HBNB\x01\x01" + bytes((purpose, 0))
    assert [frames.read_preamble(start[:count]) for count in range(8)] == [None] * 8
    assert frames.read_preamble(start) is purpose
    assert frames.read_preamble(start + b"what follows") is purpose


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"POST /x HTTP/1.0\r\n", "HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\nSM", "HTTP/2"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "TLS"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "SSH"),
        (b"\xff\xf4\xff\xfd\x06\x00\x00\x00", "the first bytes are not ours"),
    ],
)
def test_another_protocol_is_named_at_its_first_wrong_byte(start: bytes, name: str) -> None:
    error = _refuse(start)
    assert error.code is Code.NOT_OUR_PROTOCOL
    assert name in error.detail
    assert _refuse(start[:1]).code is Code.NOT_OUR_PROTOCOL


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_is_told_which_ones_are_supported(version: int) -> None:
    error = _refuse(b"HBNB" + bytes((version,)))
    assert error.code is Code.VERSION_UNSUPPORTED
    assert f"version {version}; supported: 1 to 1" in error.detail


@pytest.mark.parametrize("rest", [b"\x01\x00", b"\x01\xff", b"\x01\x01\x00", b"\x01\x01\x07"])
def test_an_unknown_suite_or_purpose_is_refused_before_the_preamble_is_whole(rest: bytes) -> None:
    assert _refuse(b"HBNB" + rest).code is Code.SUITE_UNKNOWN


def test_the_last_byte_of_the_preamble_is_zero() -> None:
    assert _refuse(b"HBNB\x01\x01\x02\x01").code is Code.SUITE_UNKNOWN


@given(start=st.binary(max_size=12))
def test_a_preamble_is_decided_alike_however_many_bytes_came_at_first(start: bytes) -> None:
    def outcome(seen: bytes) -> object:
        try:
            return frames.read_preamble(seen)
        except RemoteProtocolError as error:
            return error.code

    final = outcome(start)
    for count in range(len(start)):
        assert outcome(start[:count]) in (None, final)


@pytest.mark.parametrize("code", frames.REFUSALS.values())
def test_a_clear_refusal_tells_its_code(code: Code) -> None:
    refusal = frames.clear_refusal(code)
    assert len(refusal) == 8
    read = frames.read_clear_refusal(refusal)
    assert read is not None
    assert read.code is code


def test_a_refusal_of_the_version_names_the_versions_of_the_other_side() -> None:
    read = frames.read_clear_refusal(b"HBNB\x02\x05\x01\x00")
    assert read is not None
    assert read.code is Code.VERSION_UNSUPPORTED
    assert "2 to 5" in read.detail


def test_an_unknown_reason_reads_as_a_failed_handshake() -> None:
    read = frames.read_clear_refusal(b"HBNB\x01\x01\xee\x00")
    assert read is not None
    assert read.code is Code.HANDSHAKE_FAILED


def test_who_does_not_speak_our_protocol_gets_no_answer() -> None:
    assert frames.clear_refusal(Code.NOT_OUR_PROTOCOL) == b""


@pytest.mark.parametrize(
    "start", [b"", b"HBNB", b"HBNB\x01\x01\x01", b"\x00\x00\x04\x70" + b"x" * 8]
)
def test_what_is_no_whole_refusal_is_none(start: bytes) -> None:
    assert frames.read_clear_refusal(start) is None


@given(
    contents=st.lists(st.binary(min_size=17, max_size=200), max_size=8),
    cuts=st.lists(st.integers(1, 64), min_size=1),
)
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    contents: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(frames.frame(content) for content in contents)
    cutter = frames.FrameCutter()
    taken: list[bytes] = []
    position = number = 0
    while position < len(stream):
        size = cuts[number % len(cuts)]
        cutter.feed(stream[position : position + size])
        while (content := cutter.take()) is not None:
            taken.append(content)
        position, number = position + size, number + 1
    assert taken == contents
    assert cutter.buffered_bytes == 0


@pytest.mark.parametrize("length", [0, 1, 15, 16])
def test_a_frame_without_content_is_refused_from_its_length_alone(length: int) -> None:
    cutter = frames.FrameCutter()
    cutter.feed(length.to_bytes(4, "big"))
    with pytest.raises(RemoteProtocolError) as caught:
        cutter.take()
    assert caught.value.code is Code.FRAME_EMPTY


def test_the_least_frame_and_the_largest_of_a_bound_pass() -> None:
    cutter = frames.FrameCutter()
    for length in (TAG_BYTES + 1, PRE_OPEN_FRAME_BYTES):
        cutter.feed(frames.frame(bytes(length)))
        assert cutter.take() == bytes(length)


def test_one_byte_past_the_bound_is_refused_and_what_came_is_forgotten() -> None:
    cutter = frames.FrameCutter()
    cutter.feed((PRE_OPEN_FRAME_BYTES + 1).to_bytes(4, "big") + b"x" * 100)
    for _ in range(2):
        with pytest.raises(RemoteProtocolError) as caught:
            cutter.take()
        assert caught.value.code is Code.FRAME_TOO_LARGE_BEFORE_AUTH
        assert cutter.buffered_bytes == 0
        cutter.feed(b"more")


def test_a_length_is_judged_before_the_frame_is_here() -> None:
    cutter = frames.FrameCutter()
    cutter.bound(1000, Code.RECORD_TOO_LARGE)
    cutter.feed((1001).to_bytes(4, "big"))
    with pytest.raises(RemoteProtocolError) as caught:
        cutter.take()
    assert caught.value.code is Code.RECORD_TOO_LARGE
    assert "1001" in caught.value.detail


@pytest.mark.parametrize(
    ("banner", "name"), [(b"HTTP/1.1 400 Bad Request", "HTTP"), (b"SSH-2.0-x", "SSH")]
)
def test_a_wrong_port_is_named_to_who_dialled_it(banner: bytes, name: str) -> None:
    cutter = frames.FrameCutter()
    cutter.feed(banner)
    with pytest.raises(RemoteProtocolError) as caught:
        cutter.take()
    assert caught.value.code is Code.NOT_OUR_PROTOCOL
    assert name in caught.value.detail


def test_the_same_bytes_on_an_open_link_are_only_a_length() -> None:
    cutter = frames.FrameCutter()
    cutter.bound(1000, Code.RECORD_TOO_LARGE)
    cutter.feed(b"SSH-2.0-x")
    with pytest.raises(RemoteProtocolError) as caught:
        cutter.take()
    assert caught.value.code is Code.RECORD_TOO_LARGE


def test_the_bound_holds_for_the_frame_that_is_taken_next() -> None:
    cutter = frames.FrameCutter()
    cutter.feed(frames.frame(b"a" * 100) + frames.frame(b"b" * 3000))
    assert cutter.take() == b"a" * 100
    cutter.bound(3000, Code.RECORD_TOO_LARGE)
    assert cutter.take() == b"b" * 3000


def test_the_start_can_be_looked_at_and_taken_before_any_frame() -> None:
    cutter = frames.FrameCutter()
    cutter.feed(b"12345678" + frames.frame(b"x" * 20))
    assert cutter.peek(4) == b"1234"
    assert cutter.take_start(8) == b"12345678"
    assert cutter.take() == b"x" * 20
    with pytest.raises(LocalProtocolError):
        cutter.take_start(1)


def test_the_rest_is_handed_over_whole() -> None:
    cutter = frames.FrameCutter()
    cutter.feed(b"\x00\x00")
    cutter.feed(b"\x01")
    assert cutter.take() is None
    assert cutter.take_rest() == b"\x00\x00\x01"
    assert cutter.take_rest() == b""

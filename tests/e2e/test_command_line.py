"""The two commands in odd company: streams closed or full, signals, ports, environments, addresses."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.verb_world import Ran, check_refused
from tests.harness import short
from tests.harness.actors import WAIT_S, Peer
from tests.harness.trackers import PYTHON, TrackerProcess

KEY = "A" * 43
DIAL_S = 10.0  # what a person waits at most for a tracker that does not answer
START_S = 60.0  # and what this machine may take to start the program, with other tests beside it


def shell(peer: Peer, command: str, **environment: str) -> Ran:
    """Run a line of shell; `hobnob` and `hobnob-tracker` in it are the programs, for this home."""
    functions = (
        f'hobnob() {{ {PYTHON} -m peer --home "{peer.home}" "$@"; }};'
        f' hobnob-tracker() {{ {PYTHON} -m tracker --home "{peer.home}.tracker" "$@"; }};'
    )
    done = short.run(
        ["bash", "-c", f"{functions} {command}"],
        environment={**peer.environment, **environment},
        timeout_s=WAIT_S,
    )
    return Ran([command], done.returncode, done.stdout.decode(), done.stderr.decode())


# --- ports and addresses to listen on


@pytest.mark.parametrize("program", ["hobnob up", "hobnob-tracker serve"])
def test_a_port_that_is_none_is_wrong_usage(alice: Peer, program: str) -> None:
    for port in ("65536", "abc", "-1", "8080x", "٣٤", "", "1e3"):
        check_refused(shell(alice, f"{program} --listen 127.0.0.1:{port}"), "text", "port-invalid")


@pytest.mark.parametrize("program", ["hobnob up", "hobnob-tracker serve"])
def test_a_place_that_cannot_be_had_is_named(alice: Peer, program: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = shell(alice, f"{program} --listen {place}")
    check_refused(ran, "text", "address-in-use")
    assert place in ran.err
    elsewhere = shell(alice, f"{program} --listen 192.0.2.1:0")  # of nobody's machine, RFC 5737
    check_refused(elsewhere, "text", "address-refused")


# --- standard streams


@pytest.mark.parametrize("output", [">/dev/full", ">&-"])
@pytest.mark.parametrize(
    "words",
    [
        "hobnob whoami",
        "hobnob --json status",
        "hobnob up --listen 127.0.0.1:0",
        "hobnob --help",
        "hobnob-tracker serve --listen 127.0.0.1:0",
        "hobnob-tracker --help",
    ],
)
def test_an_output_that_takes_nothing_ends_the_program_with_one_line(
    alice: Peer, words: str, output: str
) -> None:
    form = "json" if "--json" in words else "text"
    check_refused(shell(alice, f"{words} {output}"), form, "output-failed")


def test_closed_streams_are_no_place_for_sockets_and_databases(alice: Peer) -> None:
    line = f"exec {PYTHON} -m peer --home '{alice.home}' up --listen 127.0.0.1:0 <&- 2>&-"
    with subprocess.Popen(["sh", "-c", line], stdout=subprocess.PIPE, env=alice.environment) as up:
        assert up.stdout is not None
        try:
            assert up.stdout.readline().startswith(b"alice is up")
            for number in (0, 2):
                place = Path(f"/proc/{up.pid}/fd/{number}").readlink()
                assert str(place) == "/dev/null"
            up.terminate()
            assert up.wait(WAIT_S) == 0
        finally:
            up.kill()


def test_without_stdin_whatever_would_read_it_says_so(alice: Peer) -> None:
    check_refused(shell(alice, "hobnob say bob - <&-"), "text", "message-empty")
    check_refused(shell(alice, "hobnob send bob - --name x <&-"), "text", "nothing-to-send")
    check_refused(shell(alice, "hobnob logout --forget <&-"), "text", "usage")
    fresh = "HOBNOB_PASSWORD= ; unset HOBNOB_PASSWORD; hobnob --home /nonexistent/x register zed"
    check_refused(shell(alice, f"{fresh} <&-"), "text", "password-needed")
    check_refused(shell(alice, f"{fresh} --password-file - <&-"), "text", "password-needed")


def test_an_endless_message_is_refused_before_it_was_read(alice: Peer) -> None:
    ran = shell(alice, "yes | tr -d '\\n' | hobnob say bob -")
    check_refused(ran, "text", "message-too-long")


@pytest.mark.parametrize(
    "environment",
    [
        {"LANG": "C", "LC_ALL": "C"},
        {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"},
        {"LC_ALL": "xx_XX.nonsense"},
    ],
    ids=["C", "ascii", "nonsense"],
)
def test_text_beyond_ascii_survives_a_poor_locale(alice: Peer, environment: dict[str, str]) -> None:
    poor = Peer(alice.home.parent, "alice", environment=environment)
    shown = poor.try_to("presence", "away", "--text", "zu Tisch: Süß, 日本")
    assert shown.code == 0, shown
    assert shown.item == {"presence": "away", "text": "zu Tisch: Süß, 日本"}
    refused = poor.try_to("say", "Süß", "hi")
    assert (refused.code, refused.error["code"]) == (1, "name-characters")


def test_bytes_that_are_no_text_are_refused_as_text_and_taken_as_names_of_files(
    alice: Peer, tmp_path: Path
) -> None:
    for words in ("presence away --text", "say", "friend add", "friend add zed --note", "read"):
        more = "hi" if words == "say" else ""
        check_refused(shell(alice, f"hobnob {words} $'\\xff' {more}"), "text", "text-invalid")
    missing = shell(alice, f"hobnob send bob {tmp_path}/$'\\xff'")
    check_refused(missing, "text", "no-such-friend")


# --- signals


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)],
    ids=["TERM", "HUP", "INT"],
)
def test_a_signal_ends_either_program_cleanly(
    alice: Peer, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    # whoever runs the tests under nohup hands an ignored SIGHUP down to every program
    alice.under = ("env", f"--default-signal={number.value}")
    with TrackerProcess(tmp_path / "tracker", under=alice.under) as tracker:
        tracker.signal(number)
        assert tracker.end() == code
        assert not (tracker.home / "control").exists()
    node = alice.up()
    assert node.stop(number) == code
    assert not (alice.home / "control").exists()
    if code == 130:
        assert '"code": "interrupted"' in "".join(alice.printed)
    assert alice.one("status")["node"] == "down"


def test_under_nohup_a_hangup_ends_nobody(alice: Peer, tmp_path: Path) -> None:
    alice.under = ("env", "--ignore-signal=HUP")
    with TrackerProcess(tmp_path / "tracker", under=alice.under) as tracker:
        node = alice.up()
        for process in (tracker.process, node.process):
            process.send_signal(signal.SIGHUP)
        assert alice.one("status")["node"] == "up"
        assert node.stop() == 0
        assert tracker.process.poll() is None


def test_a_broken_pipe_signal_ends_nobody(alice: Peer, tmp_path: Path) -> None:
    with TrackerProcess(tmp_path / "tracker") as tracker:
        node = alice.up()
        for process in (tracker.process, node.process):
            process.send_signal(signal.SIGPIPE)
        assert alice.one("status")["node"] == "up"
        assert node.stop() == 0
        assert tracker.process.poll() is None


# --- environments


@pytest.mark.parametrize(
    "environment",
    [
        {"TMPDIR": "/nonexistent"},
        {"COLUMNS": "abc", "LINES": "-3"},
        {"COLUMNS": "9" * 30},
        {"TERM": "\x1b[31m", "NO_COLOR": ""},
        {"HOBNOB_PASSWORD": ""},
        {"HOBNOB_PASSWORD": "x" * 100_000},
        {"TZ": "Nowhere/Land"},
        {"XDG_DATA_HOME": "relative", "XDG_DOWNLOAD_DIR": "\n"},
        {"HOME": "/nonexistent"},
    ],
    ids=str,
)
def test_nonsense_in_the_environment_changes_nothing(
    alice: Peer, environment: dict[str, str]
) -> None:
    ran = shell(alice, "hobnob friend list && hobnob transfers && hobnob say --help", **environment)
    assert (ran.code, ran.err) == (0, ""), ran


def test_a_home_that_the_environment_names_badly_is_named(alice: Peer) -> None:
    for home in ("''", "'~nobody-of-that-name/x'", "/dev/null/x"):
        bare = f"HOBNOB_HOME={home} HOBNOB_TRACKER_HOME={home}"
        check_refused(shell(alice, f"{bare} {PYTHON} -m peer whoami"), "text", "home-unusable")
        if home != "''":  # an empty one counts as none
            line = f"{bare} {PYTHON} -m tracker serve --listen 127.0.0.1:0"
            check_refused(shell(alice, line), "text", "home-unusable")


def test_without_a_home_folder_the_systems_own_word_for_it_counts(alice: Peer) -> None:
    ran = shell(alice, f"env -i {PYTHON} -m peer --home '{alice.home}' whoami")
    assert (ran.code, ran.err) == (0, ""), ran


# --- tracker addresses


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("host", "address-invalid"),
        ("host:port:port", "address-invalid"),
        ("[::1", "address-invalid"),
        ("http://127.0.0.1:1/", "address-invalid"),
        ("hobnob://bücher.example:1/", "address-invalid"),
        ("hobnob://127.0.0.1:0/", "address-invalid"),
        ("hobnob://127.0.0.1:٣٤/", "address-invalid"),
        ("hobnob://127.0.0.1:1/#short", "address-invalid"),
        (f"hobnob://127.0.0.1:1/#{'!' * 43}", "address-invalid"),
        (f"hobnob://127.0.0.1:1/#{KEY}", "tracker-unreachable"),
        (f"hobnob://nosuch.invalid:1/#{KEY}", "tracker-unreachable"),
        ("hobnob://127.0.0.1:1/", "tracker-unreachable"),
    ],
)
def test_a_tracker_address_that_leads_nowhere_is_named(
    tmp_path: Path, address: str, code: str
) -> None:
    peer = Peer(tmp_path, "zed")
    outcome = peer.try_to("register", "zed", "--tracker", address)
    assert (outcome.code, outcome.error["code"]) == (1, code), outcome
    assert not (peer.home / "keys").exists() or code == "tracker-unreachable"


@pytest.mark.parametrize("is_silent", [True, False], ids=["takes and is silent", "takes nobody"])
@pytest.mark.parametrize("key", ["", f"#{KEY}"], ids=["without key", "with key"])
def test_a_tracker_that_does_not_answer_is_waited_for_ten_seconds_at_most(
    tmp_path: Path, is_silent: bool, key: str
) -> None:
    with ExitStack() as stack:
        hole = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        if not is_silent:  # with its queue full, the system drops whoever knocks
            for _ in range(4):
                knock = stack.enter_context(socket.socket())
                knock.setblocking(False)
                knock.connect_ex(hole.getsockname())
        before = time.monotonic()
        address = f"hobnob://127.0.0.1:{hole.getsockname()[1]}/{key}"
        outcome = Peer(tmp_path, "zed").try_to("register", "zed", "--tracker", address)
        took = time.monotonic() - before
    assert (outcome.code, outcome.error["code"]) == (1, "tracker-unreachable")
    assert "in time" in outcome.error["message"]
    assert took < DIAL_S + START_S


def test_a_name_with_several_addresses_is_tried_at_each(tmp_path: Path) -> None:
    found = {info[4][0] for info in socket.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)}
    with TrackerProcess(tmp_path / "tracker", listen="127.0.0.1:0") as tracker:
        port, key = tracker.place[1], tracker.address.partition("#")[2]
        assert "127.0.0.1" in found
        made = Peer(tmp_path, "zed").one(
            "register", "zed", "--tracker", f"hobnob://localhost:{port}/#{key}"
        )
    assert made["account"] == "zed"


def test_another_key_is_refused_with_both(tmp_path: Path) -> None:
    with TrackerProcess(tmp_path / "tracker") as tracker:
        bare, _, key = tracker.address.partition("#")
        outcome = Peer(tmp_path, "zed").try_to("register", "zed", "--tracker", f"{bare}#{KEY}")
    assert (outcome.code, outcome.error["code"]) == (1, "tracker-key-mismatch")
    assert f"expected {KEY}, got {key}" in outcome.error["message"]


# --- words


MISTAKES = {
    "hobnob sya bob hi": "did you mean 'say'",
    "hobnob say": "required: TO, TEXT",
    "hobnob say bob hi there": "unrecognized arguments: there",
    "hobnob up --lisen 127.0.0.1:0": "did you mean --listen",
    "hobnob -x whoami": "-x",
    "hobnob friend ad bob": "did you mean 'add'",
    "hobnob-tracker serv": "did you mean 'serve'",
    "hobnob-tracker serve --max-peer 5": "unrecognized arguments: --max-peer",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_99_words_that_make_no_verb_are_told_the_nearest_that_does(alice: Peer, line: str) -> None:
    ran = shell(alice, line)
    assert MISTAKES[line] in ran.err
    check_refused(ran, "text", "usage")


CONTRADICTIONS = {
    "--limit dead_after_s=1 --limit heartbeat_s=20": ("heartbeat_s", "dead_after_s"),
    "--limit sockets_early_drop=900 --limit sockets_pre_open=5": (
        "sockets_early_drop",
        "sockets_pre_open",
    ),
}


@pytest.mark.parametrize("limits", CONTRADICTIONS)
def test_104_limits_that_contradict_each_other_are_named(alice: Peer, limits: str) -> None:
    ran = shell(alice, f"hobnob-tracker serve --listen 127.0.0.1:0 {limits}")
    check_refused(ran, "text", "config-invalid")
    assert all(name in ran.err for name in CONTRADICTIONS[limits])


QUESTIONS = {
    "read --limit -1": "usage",
    "read --limit 99999999999999999999": "usage",
    "read --limit 1e9": "usage",
    "history bob --limit ٣": "usage",
    "history bob --since yesterday": "usage",
    "history '%'": "no-such-friend",
    "search '%'": "search-empty",
    "search ''": "search-empty",
    f"search {'x' * 10_240}": "text-length",
}


@pytest.mark.parametrize("line", QUESTIONS, ids=lambda line: line[:30])
def test_107_questions_without_sense_are_named_and_cost_no_time(alice: Peer, line: str) -> None:
    before = time.monotonic()
    check_refused(shell(alice, f"hobnob {line}"), "text", QUESTIONS[line])
    assert time.monotonic() - before < START_S


def test_107_a_pattern_is_only_words(alice: Peer) -> None:
    """No expression is ever matched: what would keep a matcher busy for years is looked up like any word."""
    before = time.monotonic()
    ran = shell(alice, f"hobnob search '(a+)+$' '{'a' * 1000}!' '.*'")
    assert (ran.code, ran.out) == (0, ""), ran
    assert time.monotonic() - before < START_S

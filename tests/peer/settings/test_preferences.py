"""The closed table of settings: one spelling for each value, and what holds for whom."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer import api
from peer.errors import PeerError
from peer.locations import Locations
from peer.people import befriending, contacts
from peer.settings import bandwidth, configuring, preferences
from peer.settings.preferences import DEFAULT, KEYS
from peer.settings.quantities import OFF
from peer.store import settings
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.stations import Rows
from tests.house.tree import ROOT
from wire.codes import Code
from wire.limits import ACCEPT_TYPES_CHARS, FILE_BYTES


@pytest.fixture
def alice() -> SimPeer:
    world = Simulation(1)
    alice = SimPeer.make(world, "alice")
    for name in ("bob", "carol"):
        befriend(alice, SimPeer.make(world, name))
    return alice


def put(one: SimPeer, name: str, text: str, friend: str | None = None) -> None:
    one.database.write(preferences.put, KEYS[name], text, friend)
    one.database.commit()


def held(one: SimPeer, name: str, friend: str | None = None) -> str:
    person = None if friend is None else one.database.read(contacts.find_friend, friend)
    return one.database.read(preferences.held, name, person)


@pytest.mark.parametrize(
    ("name", "text", "one"),
    [
        ("bandwidth.up", "10MB/s", "10MB/s"),
        ("bandwidth.up", " 10mb/S ", "10MB/s"),
        ("bandwidth.up", "10 MiB", "10MiB/s"),
        ("bandwidth.up", "10000", "10000/s"),
        ("bandwidth.down", "0", OFF),
        ("bandwidth.down", "0/s", OFF),
        ("bandwidth.down", "None", OFF),
        ("bandwidth.down", "off", OFF),
        ("bandwidth.schedule", "none", OFF),
        ("bandwidth.schedule", "8:00-18:00  down 5mb UP 1MB/s", "08:00-18:00 up 1MB/s down 5MB/s"),
        (
            "bandwidth.schedule",
            "22:00 - 06:00 up off,6:00-7:30 up 10KB/s",
            "06:00-07:30 up 10KB/s, 22:00-06:00 up off",
        ),
        ("bandwidth.schedule", "00:00-24:00 down 1MB/s", "00:00-24:00 down 1MB/s"),
        ("accept.max-size", "1", "1"),
        ("accept.max-size", "1.5gib", "1.5GiB"),
        ("accept.max-size", str(FILE_BYTES), str(FILE_BYTES)),
        ("accept.max-size", "none", OFF),
        ("accept.policy", "AUTO", "auto"),
        ("accept.types", " *.jpg, ,*.PNG", "*.jpg,*.PNG"),
        ("accept.types", "OFF", OFF),
        ("accept.types", "0,", "0"),
        ("accept.types", "x" * ACCEPT_TYPES_CHARS, "x" * ACCEPT_TYPES_CHARS),
        ("downloads.folder", "/srv/in", "/srv/in"),
    ],
)
def test_a_value_has_one_spelling_which_is_understood_again(name: str, text: str, one: str) -> None:
    key = KEYS[name]
    assert preferences.read_value(key, text) == one
    assert preferences.read_value(key, one) == one


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bandwidth.up", "fast"),
        ("bandwidth.schedule", ""),
        ("bandwidth.schedule", "08:00-18:00"),
        ("bandwidth.schedule", "08:00-18:00 up"),
        ("bandwidth.schedule", "08:00-18:00 up slow"),
        ("bandwidth.schedule", "08:00-18:00 up 1KB/s"),
        ("bandwidth.schedule", "08:00-18:00 up 1MB/s up 2MB/s"),
        ("bandwidth.schedule", "08:00-08:00 up 1MB/s"),
        ("bandwidth.schedule", "08:60-18:00 up 1MB/s"),
        ("bandwidth.schedule", "08:00-24:01 up 1MB/s"),
        ("bandwidth.schedule", "24:00-08:00 up 1MB/s"),
        ("bandwidth.schedule", "08:00-18:00 up 1MB/s, 17:59-19:00 up 2MB/s"),
        ("bandwidth.schedule", "22:00-06:00 up 1MB/s, 05:00-07:00 down 2MB/s"),
        ("bandwidth.schedule", "08:00-09:00 up 1MB/s," * 2),
        ("bandwidth.schedule", ", ".join(f"{h:02}:00-{h:02}:30 up 1MB/s" for h in range(13))),
        ("bandwidth.up", "9999"),
        ("bandwidth.up", "10KB/m"),
        ("bandwidth.up", "-10MB/s"),
        ("bandwidth.up", "10MB/s/s"),
        ("bandwidth.up", ""),
        ("bandwidth.down", "٣٤MB/s"),
        ("bandwidth.down", "1e9"),
        ("bandwidth.down", "nan"),
        ("accept.max-size", "0"),
        ("accept.max-size", "0KB"),
        ("accept.types", ""),
        ("accept.types", " , ,"),
        ("accept.max-size", str(FILE_BYTES + 1)),
        ("accept.max-size", "9" * 400),
        ("accept.max-size", "25 XB"),
        ("accept.policy", "yes"),
        ("accept.types", "a/b"),
        ("accept.types", "*\x07.jpg"),
        ("accept.types", "x" * (ACCEPT_TYPES_CHARS + 1)),
        ("downloads.folder", "in"),
        ("downloads.folder", ""),
        ("downloads.folder", "/srv/\0"),
    ],
)
def test_what_is_no_value_is_named_with_what_is_expected(name: str, text: str) -> None:
    key = KEYS[name]
    with pytest.raises(PeerError) as caught:
        preferences.read_value(key, text)
    assert caught.value.code is Code.CONFIG_INVALID
    assert name in caught.value.message
    assert key.expects in caught.value.message


@given(
    st.sampled_from(sorted(KEYS)),
    st.text() | st.from_regex(r"[0-9.]{1,25} ?[KMGTkmgti]{0,2}B?(/s)?"),
)
def test_any_text_is_a_value_of_one_spelling_or_refused_by_name(name: str, text: str) -> None:
    key = KEYS[name]
    with suppress(PeerError):  # and nothing else is raised
        one = preferences.read_value(key, text)
        assert preferences.read_value(key, one) == one


def test_a_key_that_is_none_is_named_with_the_nearest() -> None:
    assert preferences.need_key(" Bandwidth.UP ").name == "bandwidth.up"
    for word, near in (("bandwith.up", "bandwidth.up"), ("accept.size", "accept.max-size")):
        with pytest.raises(PeerError, match=f"did you mean {near}\\?") as caught:
            preferences.need_key(word)
        assert caught.value.code is Code.CONFIG_INVALID
    with pytest.raises(PeerError) as caught:
        preferences.need_key("x" * 1000)
    assert len(caught.value.message) < 200


def test_every_key_has_words_and_a_default_that_is_a_value() -> None:
    assert list(KEYS) == sorted(KEYS)
    for key in KEYS.values():
        assert key.help
        assert key.default == "" or preferences.read_value(key, key.default) == key.default


def test_every_key_stands_in_the_documentation() -> None:
    using = (ROOT / "peer" / "USING.md").read_text()
    assert [name for name in KEYS if f"`{name}`" not in using] == []


def test_what_is_set_for_a_friend_counts_over_what_holds_for_all(alice: SimPeer) -> None:
    assert held(alice, "accept.policy", "bob") == "ask"
    put(alice, "accept.policy", "never")
    put(alice, "accept.policy", "auto", "bob")
    put(alice, "accept.max-size", "5MB")
    put(alice, "accept.max-size", OFF, "bob")
    assert [held(alice, "accept.policy", who) for who in (None, "bob", "carol")] == [
        "never",
        "auto",
        "never",
    ]
    assert [held(alice, "accept.max-size", who) for who in ("bob", "carol")] == [OFF, "5MB"]
    assert alice.database.read(preferences.of_friends, KEYS["accept.policy"]) == [("bob", "auto")]
    put(alice, "accept.policy", DEFAULT, "bob")
    put(alice, "accept.policy", DEFAULT)
    assert held(alice, "accept.policy", "bob") == "ask"
    assert alice.database.read(preferences.of_friends, KEYS["accept.policy"]) == []


def test_whoever_comes_by_the_name_later_inherits_nothing(alice: SimPeer) -> None:
    put(alice, "accept.policy", "auto", "bob")
    alice.database.write(befriending.remove, "bob", alice.world.wall())
    alice.database.connection.execute(
        "UPDATE contacts SET state = 'friends', identity = ? WHERE name = 'bob'", (b"n" * 32,)
    )
    alice.database.commit()
    assert held(alice, "accept.policy", "bob") == "ask"
    assert alice.database.read(preferences.of_friends, KEYS["accept.policy"]) == []


def test_what_cannot_be_set_for_a_friend_is_named(alice: SimPeer) -> None:
    for name, friend, code in (
        ("downloads.folder", "bob", Code.CONFIG_INVALID),
        ("accept.policy", "nobody", Code.NO_SUCH_FRIEND),
    ):
        with pytest.raises(PeerError) as caught:
            put(alice, name, OFF, friend)
        assert caught.value.code is code


def test_what_is_about_this_machine_does_not_travel(alice: SimPeer) -> None:
    put(alice, "bandwidth.up", "1MB/s")
    put(alice, "accept.policy", "auto")
    assert set(alice.database.read(settings.under, settings.HERE)) == {"config/bandwidth.up"}
    assert set(alice.database.read(settings.under, "config/")) == {"accept.policy"}


@pytest.mark.parametrize("raw", [b"\xc1", b"\x90", b"\x91\xc4\x03yes", b"\x93\x01\x02\x03"])
def test_a_value_of_another_version_holds_as_if_nothing_was_set(alice: SimPeer, raw: bytes) -> None:
    alice.database.write(settings.write, "config/accept.policy", raw)
    assert held(alice, "accept.policy") == "ask"


# --- the commands


async def do(one: SimPeer, home: Path, command: configuring.ConfigCommand) -> list[api.Result]:
    return await configuring.carry_out(Rows(one), Locations(home), command)  # type: ignore[arg-type]


async def test_the_list_has_every_key_then_what_friends_have(
    alice: SimPeer, tmp_path: Path
) -> None:
    await do(alice, tmp_path, api.SetAcceptPolicy("auto", "bob", "5mb", None))
    listed = await do(alice, tmp_path, api.ListSettings())
    shown = [
        (item.key, item.value, item.friend) for item in listed if isinstance(item, api.Setting)
    ]
    assert shown == [
        *((key.name, key.default or str(tmp_path / "downloads"), None) for key in KEYS.values()),
        ("accept.max-size", "5MB", "bob"),
        ("accept.policy", "auto", "bob"),
        ("accept.types", OFF, "bob"),
    ]


async def test_a_folder_is_looked_at_before_it_is_set(alice: SimPeer, tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "in"
    home.mkdir()
    [shown] = await do(alice, home, api.SetSetting("downloads.folder", str(folder)))
    assert isinstance(shown, api.Setting)
    assert (shown.value, shown.default) == (str(folder), str(home / "downloads"))
    assert alice.database.read(configuring.downloads) == folder
    for wrong, code in (
        (str(home), Code.HOME_UNUSABLE),
        (str(tmp_path / "no" / "such"), Code.FOLDER_GONE),
        ("in", Code.CONFIG_INVALID),
    ):
        with pytest.raises(PeerError) as caught:
            await do(alice, home, api.SetSetting("downloads.folder", wrong))
        assert caught.value.code is code
    assert alice.database.read(configuring.downloads) == folder
    [shown] = await do(alice, home, api.SetSetting("downloads.folder", DEFAULT))
    assert shown == api.Setting(
        "downloads.folder", str(home / "downloads"), str(home / "downloads"),
        KEYS["downloads.folder"].help,
    )  # fmt: skip


async def test_the_configuration_file_is_what_holds_where_nothing_was_set(
    alice: SimPeer, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text('[downloads]\nfolder = "/srv/in"\n')
    [shown] = await do(alice, tmp_path, api.GetSetting("downloads.folder"))
    assert isinstance(shown, api.Setting)
    assert (shown.value, shown.default) == ("/srv/in", "/srv/in")
    (tmp_path / "config.toml").write_text("nonsense")
    [shown] = await do(alice, tmp_path, api.GetSetting("downloads.folder"))
    assert isinstance(shown, api.Setting)
    assert shown.value == str(tmp_path / "downloads")


async def test_the_accept_policy_is_set_as_one(alice: SimPeer, tmp_path: Path) -> None:
    await do(alice, tmp_path, api.SetAcceptPolicy("auto", None, "5MB", "*.jpg"))
    [said] = await do(alice, tmp_path, api.SetAcceptPolicy("auto"))
    assert said == api.AcceptPolicy(None, "auto", OFF, OFF)
    with pytest.raises(PeerError, match="bound auto") as caught:
        await do(alice, tmp_path, api.SetAcceptPolicy("never", None, "5MB"))
    assert caught.value.code is Code.CONFIG_INVALID
    with pytest.raises(PeerError):
        await do(alice, tmp_path, api.GetSetting("downloads.folder", "bob"))
    [shown] = await do(alice, tmp_path, api.GetSetting("accept.policy", "bob"))
    assert isinstance(shown, api.Setting)
    assert (shown.value, shown.friend) == ("auto", "bob")


def test_a_folder_that_nobody_was_asked_about_is_given_or_what_is_wrong(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    locations = Locations(home)
    away = tmp_path / "away" / "in"
    assert configuring.folder_unasked(locations, away) == away
    found = configuring.folder_unasked(locations, home)
    assert isinstance(found, PeerError)
    assert found.code is Code.HOME_UNUSABLE
    (home / "config.toml").write_text("nonsense")
    found = configuring.folder_unasked(locations, None)
    assert isinstance(found, PeerError)
    assert found.code is Code.CONFIG_INVALID


def test_bandwidth_is_that_of_all_and_beside_it_that_of_friends(alice: SimPeer) -> None:
    put(alice, "bandwidth.up", "1MB/s")
    put(alice, "bandwidth.schedule", "08:00-18:00 down 2MB/s")
    put(alice, "bandwidth.up", "20KB/s", "bob")
    everyone = alice.database.read(bandwidth.of_all)
    assert everyone.at(9 * 60) == (1_000_000, 2_000_000)
    assert everyone.at(19 * 60) == (1_000_000, None)
    [(identity, bob)] = alice.database.read(bandwidth.of_friends).items()
    assert bob.at(9 * 60) == (20_000, None)  # what holds for all is not lifted, nor is it his own
    found = alice.database.read(contacts.find, "bob")
    assert found is not None
    assert identity == found.identity

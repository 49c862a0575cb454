"""Everything that the tracker holds of the account, as one JSON file for the person whose it is."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from peer import api
from peer.accounts.state_exchange import Asks, fetch_box
from peer.errors import PeerError
from peer.identity import Profile
from peer.times import rfc3339, wall
from peer.transfers.disk import SystemDisk
from peer.transfers.rename import rename_without_replacing
from wire.codes import Code
from wire.errors import WireError
from wire.identity import peek_certificate, read_addresses
from wire.messages import held
from wire.messages.held import Tie

Item = dict[str, Any]


async def save(tracker: Asks, profile: Profile, command: api.SaveAccount) -> api.AccountSaved:
    """Ask the tracker for everything and write it; the file has mode 0600 and appears whole or not at all.

    Raises PeerError with FILE_EXISTS unless `replace` is set, OUTPUT_FAILED, NOT_REGISTERED without a tracker,
    and what asking raises.
    """
    path = Path(command.file)
    if not command.replace:
        await asyncio.to_thread(check_free, path)
    if profile.tracker is None:
        raise PeerError(Code.NOT_REGISTERED, f"no tracker knows of {profile.name}")
    document = await _everything(tracker, str(profile.tracker))
    raw = json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
    await asyncio.to_thread(put_whole, path, lambda file: file.write(raw), replace=command.replace)
    return api.AccountSaved(str(path), len(raw))


async def _everything(tracker: Asks, address: str) -> Item:
    account = await tracker.ask(held.AskAccount, held.Account)
    version, state = await fetch_box(tracker)
    devices = [_device(device) for device in await devices_held(tracker)]
    people = {tie: await _people(tracker, tie) for tie in Tie}
    return {
        "about": "everything that the tracker holds of this account",
        "tracker": address,
        "fetched": rfc3339(wall()),
        "name": account.name,
        "identity": account.identity.hex(),
        "role": account.role,
        "registered": _instant(account.registered),
        "last_seen": _instant(account.last_seen),
        "password": {
            "kdf": "argon2id",
            "salt": account.salt.hex(),
            "memory_kib": account.memory_kib,
            "passes": account.passes,
            "lanes": account.lanes,
            "has_recovery_key": account.has_recovery_key,
            "auth_key": account.auth_key.hex(),
        },
        "vault": {
            "counter": account.vault_counter,
            "changed": _instant(account.vault_changed),
            **_sealed(account.vault),
        },
        "state": {"version": version, **_sealed(state or b"")},
        "device_list": {"counter": account.list_counter, **_sealed(account.device_list)},
        "devices": devices,
        "friends": [_person(person, "since") for person in people[Tie.FRIEND]],
        "requests_sent": [_signed(person) for person in people[Tie.ASKED_BY_ME]],
        "requests_received": [_signed(person) for person in people[Tie.ASKED_ME]],
        "answers_sent": [_signed(person) for person in people[Tie.ANSWERED_BY_ME]],
        "answers_received": [_signed(person) for person in people[Tie.ANSWERED_ME]],
        "blocked": [_person(person, "since") for person in people[Tie.BLOCKED]],
    }


async def devices_held(tracker: Asks) -> list[held.HeldDevice]:
    """Give what the tracker holds of each device of the account; raises PeerError as asking does."""
    found: list[held.HeldDevice] = []
    while True:
        after = found[-1].device if found else b""
        page = await tracker.ask(
            lambda request: held.AskHeldDevices(request, after),  # noqa: B023 - asked at once
            held.HeldDevices,
        )
        found += page.devices
        if page.is_last or not page.devices:
            return found


async def _people(tracker: Asks, tie: Tie) -> list[held.HeldPerson]:
    found: list[held.HeldPerson] = []
    while True:
        after = found[-1].name if found else ""
        page = await tracker.ask(
            lambda request: held.AskHeldPeople(request, tie, after),  # noqa: B023 - asked at once
            held.HeldPeople,
        )
        found += page.people
        if page.is_last or not page.people:
            return found


def _device(device: held.HeldDevice) -> Item:
    name: str | None = None
    addresses: list[Item] = []
    with suppress(WireError):
        certificate = peek_certificate(device.certificate)
        name = certificate.name
        if device.addresses:
            record = read_addresses(device.addresses, device.device, certificate.signing_key)
            addresses = [{"host": host.host, "port": host.port} for host in record.hosts]
    return {
        "device": device.device.hex(),
        "name": name,
        "link_key": device.link_key.hex(),
        "added": _instant(device.added),
        "last_seen": _instant(device.last_seen),
        "logged_out": device.is_signed_off,
        "revoked": _instant(device.revoked),
        "addresses": addresses,
        "mail": {"items": device.mail_items, "bytes": device.mail_bytes},
        "prekeys": device.prekeys,
        "mail_left": max(device.mail_left - 1, 0),
        "certificate": _sealed(device.certificate),
        "address_record": _sealed(device.addresses),
    }


def _person(person: held.HeldPerson, at: str) -> Item:
    return {"name": person.name, "identity": person.identity.hex(), at: _instant(person.at)}


def _signed(person: held.HeldPerson) -> Item:
    return {**_person(person, "at"), "signed": _sealed(person.signed)}


def _sealed(raw: bytes) -> Item:
    return {"bytes": len(raw), "base64": base64.b64encode(raw).decode()}


def _instant(at: int) -> str | None:
    return rfc3339(at) if at else None


def put_whole(path: Path, fill: Callable[[BinaryIO], object], *, replace: bool = False) -> int:
    """Have a file written that appears whole or not at all, mode 0600; gives how many bytes it has.

    fill: writes the content. replace: also where something stands there. Raises PeerError with FILE_EXISTS or
    OUTPUT_FAILED, and what `fill` raises.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
                size = file.tell()
            if replace:
                draft.replace(path)
            else:
                _rename(draft, path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
    except FileExistsError as error:
        raise _exists(path) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PeerError(Code.OUTPUT_FAILED, f"{path}: {reason}") from error
    return size


def check_free(path: Path) -> None:
    """Refuse a name that is taken before anything is done for it."""
    if os.path.lexists(path):
        raise _exists(path)


def _rename(draft: Path, path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        rename_without_replacing(
            SystemDisk(), os.fsencode(draft.name), folder, os.fsencode(path.name), folder
        )
        os.fsync(folder)
    finally:
        os.close(folder)


def _exists(path: Path) -> PeerError:
    return PeerError(
        Code.FILE_EXISTS,
        f"{path} stands there already",
        remedy="choose another name, or say --force to replace it",
    )

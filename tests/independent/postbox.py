"""Leaving mail at a tracker and collecting it: PROTOCOL.md, section 4, Mail, and the messages of it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tests.independent import mail, values
from tests.independent.account import Session
from tests.independent.link import Message, number, octets, rows
from tests.independent.mail import MailKey
from tests.independent.msgpack import Value
from tests.independent.values import Certificate

Letter = tuple[Certificate, list[Message]]


class Postbox:
    """The mail of one device. keys: private halves by number; one-time ones go when they were used."""

    def __init__(self) -> None:
        self.keys: dict[int, MailKey] = {}
        self.weekly = 0

    def publish(self, session: Session, one_time: int) -> int:
        """Put so many one-time prekeys and a weekly one; gives how many the tracker holds now."""
        own = session.person.device
        first = max(self.keys, default=0) + 1
        for fresh in range(first, first + one_time + 1):
            self.keys[fresh] = mail.new_key(fresh)
        self.weekly = first + one_time
        signed = [
            mail.prekey(own, key, is_one_time=key.number != self.weekly, created=values.now_ms())
            for key in self.keys.values()
            if key.number >= first
        ]
        _, held = session.link.ask("PutPrekeys", signed[:-1], signed[-1])
        return number(held, 1)

    def collect(self, session: Session) -> list[Letter]:
        """Take what waits: open it, believe what verifies under the pins, let the tracker forget it."""
        letters: list[Letter] = []
        after = 0
        while True:
            _, fields = session.link.ask("AskMail", after)
            items = rows(fields, 1)
            if not items:
                return letters
            for item in items:
                letters.append(self.opened(session, item))
                after = number(item, 0)
            session.link.ask("TakeMail", [item[0] for item in items])

    def opened(self, session: Session, item: list[Value]) -> Letter:
        """Open one item, and believe what verifies under the pins."""
        person = session.person
        sender, to = person.friends[str(item[1])], number(item, 4)
        info = mail.info_of(sender, octets(item, 2), person.device.identity, person.device.id, to)
        plaintext = mail.open_sealed(self.keys[to], info, octets(item, 6))
        certificate, records = mail.read_letter(plaintext, sender)
        if certificate.device != item[2]:
            raise ValueError("a letter of another device than the tracker says")
        if to != self.weekly:
            del self.keys[to]
        return certificate, records


def leave(session: Session, name: str, records: Sequence[tuple[str, Sequence[Value]]]) -> list[int]:
    """Leave a letter for every device of a friend; gives the numbers of the prekeys it was sealed to."""
    person = session.person
    _, (_, _, identity, device_list, devices) = session.link.ask("AskPrekeys", name)
    if identity != person.friends[name]:
        raise ValueError("key-mismatch")
    assert isinstance(device_list, bytes)
    used = []
    for certificate, signed in rows([devices], 0):
        assert isinstance(certificate, bytes)
        assert isinstance(signed, bytes)
        vouched = values.read_certificate(certificate, device_list, person.friends[name])
        device, to, _, _, public = values.read(signed, "prekey", vouched.signing_key)
        assert device == vouched.device
        assert isinstance(to, int)
        assert isinstance(public, bytes)
        route = (person.device.identity, person.device.id, vouched.identity, vouched.device)
        sealed = mail.seal(
            public, mail.info_of(*route, to), mail.write_letter(person.device, records)
        )
        deposit = (name, vouched.device, os.urandom(16), to, sealed)
        for _ in range(2):  # an answer may be lost: the same id is stored once
            session.link.ask("Deposit", *deposit)
        used.append(to)
    return used

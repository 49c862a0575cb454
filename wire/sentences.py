"""What a person is told for each error code: what happened, and below it what to do next.

Text only, so that it reads as a list; `wire.codes` gives each code its two sentences.
"""

from __future__ import annotations

_TABLE = """
handshake-timeout: the other side did not finish the handshake in time
    try again; if it stays, check the address and the network between
handshake-failed: the handshake did not verify
    check the address and its key; whoever answers there is not who was expected
frame-empty: a frame without content came
    the other program is broken; update it
frame-too-large-before-auth: a frame came that is too large before authentication
    the other program is broken; update it
record-too-large: a record came that is beyond the limit of its link
    the other program is broken; update it
not-our-protocol: another protocol is spoken there
    check host and port of the address
version-unsupported: the other side speaks another version of the protocol
    update the older of the two programs
suite-unknown: the other side asks for a suite or purpose that is unknown here
    update the older of the two programs
link-corrupt: a record did not verify
    nothing to do: the link is made anew
link-lost: the connection ended
    nothing to do: it is made anew
link-silent: the other side was silent for too long
    nothing to do: the link is made anew
link-replaced: another link of the same two devices took over
    nothing to do
self-connection: the address leads back to this same device
    check the address
identity-mismatch: the other side is not who was expected
    compare fingerprints with your friend by another way
not-admitted: the other side does not take links from this device
    nothing to do unless you are friends: then add each other again
device-added: another machine became a device of this account
    look at hobnob devices; if it was not you: hobnob device revoke NAME, then hobnob passwd
device-this: this is the machine that you are at
    hobnob logout signs it off; to take it off the list, run hobnob device revoke on another one
no-such-device: the account has no such device
    look at hobnob devices
device-revoked: this device was taken off its account's list
    if it is yours again: hobnob login makes it a device anew, with the password; else: hobnob logout --forget wipes it
list-rollback: the other side showed an older device list than is known
    ask your friend to log in again; if it stays, somebody replays old data
list-outdated: a friend knows a newer list of your devices than this machine
    look at hobnob whoami on your other machines; if all of them agree, ask that friend, else your tracker hides a device
goodbye: the other side ended the link in good order
    nothing to do
shutting-down: the other side is shutting down
    nothing to do: the link is made anew
too-many-connections: there are too many connections
    try again in a minute
decode: a message could not be decoded
    the other program is broken; update it
decode-depth: a message is nested too deeply
    the other program is broken; update it
decode-keys: a message has a map where none may be
    the other program is broken; update it
text-invalid: a text is not valid UTF-8
    send valid UTF-8
number-invalid: a number is not a number
    the other program is broken; update it
number-range: a number is out of range
    the other program is broken; update it
type-mismatch: a field has the wrong type
    the other program is broken; update it
field-missing: a message lacks a field
    update the older of the two programs
length-range: a field is too long or too short
    the other program is broken; update it
trailing-bytes: bytes stand behind the end of a message
    the other program is broken; update it
unknown-critical: a message that must be understood is unknown here
    update the older of the two programs
not-now: a message came that is not allowed in this state
    the other program is broken; update it
page-too-large: a page is beyond its limit
    the other program is broken; update it
too-many-pages: a list has too many pages
    the other program is broken; update it
flood: too many messages in too short a time
    wait a minute
too-many-requests: too many requests are open
    wait for answers first
too-slow: the reader is too slow and was dropped
    nothing to do: the link is made anew
request-unknown: there is no such request, or it has expired
    ask your friend to send it again
internal: something went wrong inside
    try again; if it stays, report it with the log
tracker-failed: the tracker could not store this
    try again later; if it stays, tell whoever runs the tracker to look at its disk
local-protocol-error: this program broke its own protocol
    report it with the log
name-length: the name is too short or too long
    choose a name of 2 to 32 characters
name-characters: the name has characters that are not allowed
    use a-z 0-9 . _ - and start with a letter
name-reserved: the name is reserved
    choose another name
name-taken: the name is taken
    choose another name, or log in if it is yours
no-such-user: there is no user of that name
    check the spelling and the tracker
wrong-password: the password is wrong
    try again; capitals count
too-many-failures: there were too many failed attempts
    wait as long as it says
password-weak: the password is too easy to guess
    choose one of at least 8 characters that is not a common word
password-too-long: the password is too long
    choose one of at most 1024 bytes
password-needed: a password is needed and none was given
    use --password-file FILE, HOBNOB_PASSWORD or a terminal
recovery-key-needed: this account opens with its recovery key and the password together
    give the recovery key by --recovery-key-file F
kdf-too-weak: the tracker asks for a weaker key derivation than is safe
    do not type your password there; tell whoever runs the tracker
vault-invalid: the key vault does not open
    check the password; if it stays, the vault was damaged or swapped
vault-rollback: the key vault is older than is known
    tell whoever runs the tracker; do not go on
state-conflict: another device changed the account state first
    nothing to do: it is merged and put again
state-invalid: the account state does not open
    log in again; if it stays, it was damaged or swapped
state-rollback: the tracker brought an older account state than this device knows
    nothing to do: what this device knows is put again; if it comes back often, ask who runs the tracker
prekey-invalid: a key to seal mail to does not verify
    nothing to do: nothing is sealed to it; if it stays, the tracker swaps keys
mail-invalid: a sealed message that the tracker kept does not open
    nothing to do: its sender is asked to seal it again
mailbox-full: the tracker keeps no more mail for that device
    wait until your friend was online
registration-closed: this tracker takes no new accounts
    ask whoever runs the tracker
invite-invalid: the invitation is unknown, used up or expired
    ask for a new one
not-registered: this home has no account yet
    run: hobnob register NAME --tracker ADDRESS
already-registered: this home has an account already
    use another --home for another account
logged-out: this device is logged out
    run: hobnob login NAME --tracker ADDRESS
not-logged-in: this needs an account that is logged in
    log in first
not-allowed: your role does not allow this
    ask an admin of the tracker
device-unknown: the tracker does not know this device
    run: hobnob login NAME --tracker ADDRESS
account-deleted: this account was deleted at its tracker
    its history stays in this home; register brings it back with the same key, logout --forget wipes the home
device-limit: the account has too many devices
    revoke one first
kicked: you were kicked from this tracker
    wait until the time is over
friend-self: that is yourself
    name somebody else
no-such-friend: you have no friend of that name
    see: hobnob friend list
already-friends: you are friends already
    nothing to do
not-friends: you are not friends
    run: hobnob friend add NAME
blocked: you blocked this person
    run: hobnob friend unblock NAME
too-many-friends: the limit of friends is reached
    remove one first
too-many-blocks: the limit of blocked people is reached
    unblock somebody first
too-many-pending: too many friend requests are waiting
    answer or withdraw some first
friend-request-unknown: there is no such friend request
    see: hobnob friend requests
code-checksum: the friend code has a typing error
    copy it again, whole
code-tracker: the friend code is for another tracker
    both of you need an account at the same tracker
key-mismatch: the key is not the one that was expected
    compare fingerprints with your friend by another way; nothing was stored
key-changed: your friend's identity key has changed, and nothing is sent
    compare fingerprints, then: hobnob friend accept-key NAME FINGERPRINT
key-unchanged: your friend's key is the one you know
    nothing to do
safety-number-mismatch: the safety numbers differ
    compare again digit by digit; if they differ, somebody stands between you: send nothing
signature-invalid: a signature does not verify
    somebody forged or damaged what came; nothing was stored
text-length: the text is too long
    shorten it
address-invalid: the address is not understood
    write hobnob://HOST:PORT/#KEY as the tracker prints it
tracker-key-needed: the tracker's key is not known
    give the address with its #KEY as the tracker prints it
tracker-key-mismatch: the tracker has another key than expected
    ask whoever runs the tracker which key is right; do not go on
tracker-unreachable: the tracker cannot be reached
    check the address and the network; it is tried again by itself while a node is up
peer-unreachable: the friend's machine cannot be reached
    it is tried again by itself while both are online
not-online: that device is not there at the moment
    nothing to do: it is tried again when it comes back
relay-off: the tracker's host has switched its relay off
    make one of the two machines reachable: open a port for it, or ask the tracker's host for the relay
relay-limit: the tracker relays no more for now
    try again later, or make one of the two machines reachable: open a port for it
addresses-sealed: the friend's addresses do not open with the key that was given
    nothing to do: the friend's machine gives another key by mail or on the next link
no-router: no router answers that could map a port
    switch on UPnP, NAT-PMP or PCP in the router, or forward a port by hand; friends are met without it, too
router-refused: the router maps no port
    switch on UPnP, NAT-PMP or PCP in the router, or forward a port by hand; friends are met without it, too
router-invalid: the router's answer about a port makes no sense
    update the router, or forward a port by hand and switch this off: hobnob config set port-mapping off
port-invalid: that is not a port
    use 0 to 65535
address-in-use: the port is in use by another program
    choose another port, or 0 for a free one
address-refused: the system does not allow this address
    use an address of this machine and a port above 1023
message-empty: the message is empty
    write something
message-too-long: the message is longer than 65536 bytes
    send it as a file
event-invalid: an event breaks the rules of its log
    the other program is broken; it was not stored
clock-invalid: an event's clock is too far ahead
    the other program is broken; it was not stored
parents-limit: an event names too many parents
    the other program is broken; it was not stored
forked: one device wrote two events in one place
    that device was copied or tampered with; it shows marked
device-cloned: another copy of this home writes as the same device
    run only one of the two; log in anew on the other
unknown-conversation: there is no such conversation
    see: hobnob friend list
unknown-message: there is no such message
    see: hobnob history TO
not-author: only who wrote a message edits or deletes it
    choose one of your own, or answer it
not-a-message: that line has no words of a message
    an offer of files is taken back by hobnob withdraw
message-deleted: that message was deleted
    say it anew
reaction-invalid: a reaction is one emoji
    give one, like 👍; the same again takes it back
unknown-offer: there is no such offer
    see: hobnob offers
offer-withdrawn: the offer was withdrawn
    ask for it again
offer-own: the offer is your own
    whoever it was made to accepts or declines it
offer-not-own: the offer is somebody else's
    whoever made it withdraws it, you accept or decline it
offer-answered: the offer was answered already
    see: hobnob offers
too-many-offers: too many offers are waiting
    answer or withdraw some first
too-many-files: the offer has more than 100000 files
    send an archive, or several offers
too-many-transfers: too many transfers run at once
    nothing to do: it waits in the queue
no-such-file: there is no such file
    check the path
not-a-regular-file: that is neither a file nor a folder
    send regular files and folders only
file-unreadable: the file cannot be read
    check its permissions
nothing-to-send: there is nothing to send in it
    name at least one file or folder
name-unsafe: a received name is not safe
    ask your friend to rename it; nothing was written
name-too-long: a name is too long
    use a shorter one
size-invalid: a size is not possible
    the other program is broken; update it
manifest-invalid: the list of files does not verify
    the other program is broken; nothing was written
date-invalid: that is no date
    write it like 2026-11-20 or 2026-11-20T18:30
search-empty: there is no word to look for
    name at least one letter, digit or emoji of it
search-too-long: the search took too long and was given up
    look for rarer words, or in what one friend and you said: --friend F
manifest-conflict: the list of files names one place twice
    ask your friend to send it again
changed-at-sender: the file changed at the sender while it was sent
    ask your friend to send it again
verification-failed: what came is not what was announced
    it is asked for again; if it stays, the source is damaged
incomplete: the source ended too early
    nothing to do: it goes on when the source is back
no-space: there is not enough space
    free some space, then try again
folder-gone: the download folder is not there or cannot be written
    bring it back; the transfer goes on by itself
source-offline: nobody who has the file is online
    nothing to do: it goes on when the source is back
file-exists: a file of that name stands there already
    choose another folder
cancelled: the transfer was cancelled
    ask for it again
declined: the offer was declined
    nothing to do
paused: the transfer is paused
    it goes on when whoever paused it resumes it
transfer-over: the transfer has ended
    see: hobnob transfers
unknown-transfer: there is no such transfer
    see: hobnob transfers
not-done-yet: the time is over and it is not done yet
    it goes on while a node is up: hobnob up
usage: the command is not understood
    see --help
locked: the key file is sealed and no password was given
    run: hobnob up (or give the password by --password-file or HOBNOB_PASSWORD)
already-running: a node is running on this home already
    use it, or stop it first
not-running: no node is running on this home
    run: hobnob up
node-vanished: the running node went away before it answered
    run the command again
home-not-empty: this home has a profile already
    import into another one: hobnob --home DIR import FILE
export-invalid: this file is no whole export of hobnob
    take another copy of it, or export again
home-unusable: the home folder cannot be used
    check its path, owner and permissions
key-file-invalid: the key file cannot be used
    put the right file back from a backup, or log in again
key-file-mode: the key file can be read by others
    run: chmod 600 on it
database-newer: the database was written by a newer version
    update this program
database-corrupt: the database is damaged
    it was kept beside; restore a backup, or log in again in a new home
database-failed: the database cannot be written
    check space and permissions of the home folder
output-failed: the output could not be written
    check where the output goes
interrupted: interrupted
    run it again
config-invalid: a setting is not understood
    see --help for its form
ambiguous-id: more than one thing begins with this id
    give more of its characters
library-too-old: the cryptography library lacks ML-KEM-768
    install cryptography 48 or newer
too-many-sessions: too many devices of this account are connected
    close one
listener-failed: the port could not be opened
    choose another with --listen
"""


def _parse(table: str) -> dict[str, tuple[str, str]]:
    sentences: dict[str, tuple[str, str]] = {}
    lines = table.strip().splitlines()
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        code, _, what = first.partition(": ")
        sentences[code] = (what, second.strip())
    return sentences


SENTENCES = _parse(_TABLE)
"""For each code: (what happened, what to do next)."""

"""Every bound of the protocol: its unit, its subject and its reason; the one home of such numbers.

A number that limits what the other side may send, or how long we wait for it, stands here and nowhere
else. Programs make most of them configurable by passing another value to the machine that takes it.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# --- before a link is open: whoever knocks has proven nothing yet, so it costs next to nothing
PREAMBLE_BYTES = 8
TAG_BYTES = 16  # AES-GCM
PRE_OPEN_FRAME_BYTES = 2 * KIB  # message 1 carries an ML-KEM key of 1,184 bytes, message 2 1,088
HELLO_BYTES = 8 * KIB  # certificate and a device list of at most LISTED_DEVICES
OPEN_TIMEOUT_S = 10.0  # from the first byte (or the accepted connection) to OPEN
ANONYMOUS_TIMEOUT_S = 60.0  # a person may need a while between AskKdf and LogIn

# --- records of an open link
CONTROL_RECORD_BYTES = 128 * KIB  # plaintext; talk never needs more, lists are paged
DATA_RECORD_BYTES = (
    1 * MIB
)  # plaintext: one chunk (1 GiB loopback: 0.63 s against 0.86 s at 64 KiB)
LENGTH_BYTES = 4  # big-endian length of ciphertext with tag
MESSAGE_NUMBER_BYTES = 2
PAGE_BYTES = 32 * KIB  # any one page of any list
PAGES = 4096  # of one list: 128 MiB, the manifest of 100,000 files is far below
REKEY_AFTER_RECORDS = 2**20  # per direction
REKEY_AFTER_BYTES = 32 * GIB
LINK_LIFETIME_S = 24 * 3600.0  # then a new link with new ephemeral keys
LINK_LIFETIME_BYTES = 1024 * GIB

# --- keepalive
HEARTBEAT_S = 20.0  # ping when nothing else was sent
DEAD_AFTER_S = 60.0  # nothing received: the link is lost
PINGS_PER_S = 10  # beyond it: FLOOD
HELD_PINGS = 60  # of a data link, at once: its reader may have waited for a disk
CLOSE_TEXT_CHARS = 200  # the sentence in Close and Refused

# --- requests to the tracker
OPEN_REQUESTS = 256  # per link, unanswered
REQUEST_TIMEOUT_S = 30.0
UNTAKEN_WORDS = 20 * KIB  # of a tracker, unasked: addresses of all devices of all friends fit

# --- accounts
PASSWORD_BYTES = 1024  # after NFC
PASSWORD_CHARS_LEAST = 8
KDF_MEMORY_KIB = 64 * KIB  # floor and default of Argon2id m: 64 MiB
KDF_PASSES = 3  # floor and default of t
KDF_LANES = 4  # floor and default of p
KDF_MEMORY_KIB_MOST = 1024 * KIB  # a tracker must not be able to exhaust the client
KDF_PASSES_MOST = 64
KDF_LANES_MOST = 16
DEVICES = 10  # of one account, not revoked
LISTED_DEVICES = 32  # of one account, revoked ones included (their old events still verify)
ACCOUNT_NAME_CHARS = 32
DEVICE_NAME_CHARS = 32
DISPLAY_NAME_CHARS = 64
VAULT_BYTES = 1 * KIB
CERTIFICATE_BYTES = 512
DEVICE_LIST_BYTES = 6 * KIB
ACCOUNT_STATE_BYTES = 1 * MIB
STATE_KEY_CHARS = 128  # of one value in it
STATE_VALUE_BYTES = 16 * KIB  # one value: a draft is the longest
DRAFT_BYTES = 12 * KIB  # of UTF-8: it fits into a value of the account state
STATE_PUT_EVERY_S = 60.0  # what is not pressing
STATE_KEY_COPY_BYTES = 32 + 1136  # sealed to one device: HPKE adds the rest
STATE_ENTRIES = 10_000  # three for each friend, and what was set by hand
HELD_DEVICES = 8  # in one page of what a tracker holds: each has at most 2.7 KiB
HELD_PEOPLE = 7  # in one page of signed requests and answers: each has at most 4.2 KiB
HELD_NAMES = 256  # in one page of friends or blocked people, which have nothing signed
FAILED_LOGINS = 10  # per FAILED_LOGINS_WINDOW_S, account and address
FAILED_LOGINS_WINDOW_S = 900.0

# --- friends and presence
FRIENDS = 2000  # per account
PENDING_FRIEND_REQUESTS = 200  # per account
BLOCKS = 2000  # per account: whoever needs more should leave the tracker
FRIEND_REQUEST_LIFETIME_S = 30 * 24 * 3600.0
FRIEND_REQUEST_BYTES = 4 * KIB
FRIEND_NOTE_CHARS = 300
PRESENCE_TEXT_CHARS = 120
PRESENCE_COALESCE_S = 0.05  # further changes to one recipient
ADDRESSES = 8  # candidates of one device
ADDRESS_RECORD_BYTES = 2 * KIB
DIALS_PER_S = 3  # to candidates of one friend
DIAL_TIMEOUT_S = 10.0

# --- a local network
LAN_SERVICES = 256  # remembered at a time: more devices than a class or a party has on one network
LAN_HOSTS = 4  # of one announcement: a cable and a radio, each with two kinds of addresses
LAN_FRESH_S = 60.0  # the same place named again within it is no news
LAN_OPEN_S = 600.0  # how long `friend code --lan` takes requests
LAN_CALLERS = 16  # strangers at the door of a device that takes requests
LAN_SEARCH_S = 10.0  # for somebody whose code is known; announcements take a second

# --- conversations
MESSAGE_BYTES = 64 * KIB  # UTF-8 of one text
MARK_CHARS = 32  # of one reaction: the longest emoji are families and flags of about a dozen
VERSIONS_SHOWN = 64  # of one message that was edited, the newest; all are kept
TYPING_AGAIN_S = 3.0  # a notice that somebody types, at most so often
TYPING_LASTS_S = 8.0  # without another one nobody types any more
EVENT_HEADER_BYTES = 4 * KIB  # 16 parents and the fixed fields are about 900
EVENT_BODY_BYTES = MESSAGE_BYTES + 4 * KIB
SALT_BYTES = 16
PARENTS = 16
EPOCHS = 64  # per device and conversation
CLOCK_AHEAD = 2**20  # of what is known; beyond it an author could exhaust everybody's clocks
FORK_EVENTS = 1000  # kept of a forked chain, from the fork on
FORK_PROOFS = 16  # kept of one chain; one is enough to convict
VECTOR_ENTRIES = (
    2048  # of one conversation: two accounts with 10 devices use 20, and 64 epochs of each fit
)
RECEIPT_CHAINS = 320  # in one receipt, the liveliest: they fit into RECEIPT_BYTES
REJECTIONS = 256  # remembered of one conversation, so that none is counted twice
SEEN_CHAINS = 100  # of them, in what it says was seen; the rest fits beside them
RECEIPT_BYTES = 16 * KIB
VECTOR_ENTRIES_PER_PAGE = 256
EVENTS_PER_BATCH = 512
RESERVE_BYTES = (
    8 * MIB
)  # of disk, for talk when all the rest is full: half may go into SQLite's log
RESERVE_PIECE_BYTES = 512 * KIB  # of it, given up at a time: a few of the longest messages
HOOK_CHARS = 1024  # of a command that a person sets
HOOK_S = 30.0  # then a command that runs on an event is killed
HOOKS_AT_ONCE = 4
HOOKS_WAITING = 256  # further events run nothing until some of these have
HOOK_OUTPUT_BYTES = 2 * KIB  # of what one prints, for the log
HOOK_VARIABLE_CHARS = (
    1024  # of a field that goes into the environment; longer ones are on its input only
)
SEARCH_CHARS = 1024  # a person types far fewer
SEARCH_TERMS = 32  # each costs a look into the index
SEARCH_S = 5.0  # one search; 100,000 messages take a hundredth of it
SEARCH_RESULTS = 1000  # of one answer; further ones are asked for with the last one's id
MESSAGE_LIFETIME_S = 30 * 24 * 3600.0  # undelivered after that: failed
GAP_SHOWN_AFTER_S = 2.0
CLOCK_LABEL_OFF_S = 600.0  # wall time further off than this is marked

# --- mail
PREKEYS = 100  # one-time ones of a device that a tracker holds
PREKEYS_LOW = 50  # from here on the device puts more
PREKEYS_PER_MESSAGE = 20  # 1.4 KiB each
PREKEYS_PER_HOUR = 10  # one-time ones of one device that one friend is given
PREKEYS_MADE = (
    2000  # newest one-time ones whose private halves a device keeps: few are given away unused
)
PREKEYS_REPLACED_S = (
    600.0  # at least between two times that a device replaces all: friends may leave junk
)
PREKEY_BYTES = 1400  # signed
PREKEY_WEEKLY_S = 7 * 24 * 3600.0  # then the device puts another
PREKEY_KEPT_S = 37 * 24 * 3600.0  # a replaced one's private half: mail lives for 30 days
MAIL_ITEM_BYTES = 96 * KIB  # as sealed
MAIL_PER_MESSAGE = 64  # as far as they fit into MAIL_MESSAGE_BYTES
MAIL_MESSAGE_BYTES = 112 * KIB  # of items in one Mail; a single one always fits
MAIL_ITEMS = 20_000  # that wait for one device
MAIL_BYTES = 64 * MIB  # the same, all together
MAIL_ITEMS_PER_PAIR = 5000  # of one account for one device
MAIL_BYTES_PER_PAIR = 16 * MIB
MAIL_LIFETIME_S = 30 * 24 * 3600.0
MAIL_ASKED_S = (
    24 * 3600.0  # an item without a receipt: whether it is still kept, and then again after as long
)
MAIL_AFTER_S = 5.0  # without a receipt over a link: then it goes by mail as well
LETTER_RECORDS = 512
NACK_BYTES = 256
NACKS_OWED = 2048  # by one device, of items that did not open: a tracker could make up any number

# --- transfers
CHUNK_BYTES = 1 * MIB  # always; the last of a file is shorter
PAGE_DIGESTS = 1024  # chunk digests per digest page
KEPT_DIGEST_PAGES = 1024  # of one file at its sender: 1 TiB of it, 32 MiB of memory
FILE_BYTES = 2**44  # 16 TiB: 16,384 digest pages
FILES_PER_OFFER = 100_000
FOLDERS_PER_OFFER = 100_000
TOP_NAMES = 32  # names an offer shows before its manifest is fetched
OFFER_RECIPIENTS = 64  # named in one offer
PENDING_OFFERS = 100  # per friend
PLACES = (
    FILE_BYTES // CHUNK_BYTES + FILES_PER_OFFER
)  # chunks of one offer, the last of each file short
PATH_BYTES = 4 * KIB  # of one manifest entry, UTF-8
PATH_DEPTH = 64
NAME_BYTES = 255  # of one path component as stored
WINDOW_BYTES = 8 * MIB  # asked for and not yet here, per source
SOURCES = 8  # of one transfer, the offering device included
SIGNED_DIGESTS = 1024  # per signed batch
SIGN_EVERY_BYTES = 64 * MIB
SIGN_EVERY_S = 1.0
WINDOW_LEAST_BYTES = 2 * MIB  # asked of a slow one of several sources
WINDOW_AHEAD_S = 3.0  # of several sources, each is asked for what it brings in that time
HAVE_SPANS = 1024  # in one Have
HELD_SPANS = 4096  # of one holder: one that has more pieces tells of no more until they join
CLAIM_SPANS = 64  # in one Have, of what is being fetched
CLAIM_BYTES = (
    WINDOW_BYTES + SIGN_EVERY_BYTES + 2 * CHUNK_BYTES
)  # the same: asked for, or here and not yet signed
HAVE_EVERY_S = 0.25  # to one watcher
HELD_HAVES = 40  # of one holder at once, HAVE_EVERY_S apart in the long run: then FLOOD
CLAIM_S = 20.0  # without progress: what a holder says it is fetching does not count any more
STALL_S = 5.0  # one of several sources sends not a byte of what was asked for: it is given up
SLOW_S = 30.0  # or not a chunk, while others do
STRAY_CHUNKS = 100  # unasked for: then FLOOD
SYNC_EVERY_BYTES = 32 * MIB  # of a part file, then a `synced` mark in the journal
SYNC_EVERY_S = 2.0
BANDWIDTH_BYTES_PER_S_LEAST = (
    10_000  # of a limit a person sets: slower, the other side takes us for dead
)
ACCEPT_TYPES_CHARS = 200  # patterns of names that are taken without asking
RESERVE_AHEAD_BYTES = 64 * MIB
FETCH_RANGES = 1024  # in one Fetch: a window full of files of 8 KiB
DATA_LINKS = 64  # of one device, each with two threads and about 3 MiB of buffers
SPARE_LINKS = (
    8  # of DATA_LINKS, to devices whose talk was punched: they stand while nothing needs them
)
DATA_LINKS_PER_DEVICE = 4  # with one other, those that are ending included; one stays
TRANSFERS_AT_ONCE = 8  # one device takes in; the others wait for a slot
OPEN_FETCHES = 256  # requests of one data link that were not answered to their end
FETCHES_PER_TRANSFER = OPEN_FETCHES // TRANSFERS_AT_ONCE  # so that all at once keep to OPEN_FETCHES
CHUNK_FETCHES = 8  # of FETCHES_PER_TRANSFER, a window is no more; the others ask for digests
OPEN_RANGES = TRANSFERS_AT_ONCE * CHUNK_FETCHES * FETCH_RANGES  # in the open requests of a link
UNSENT_ANSWERS = 1024  # of one data link, to who does not read them: then FLOOD
PACKED_CHUNKS = 1024  # small files in one record

# --- flow
SEND_QUEUE_BYTES = 4 * MIB  # per link: then the producer pauses
SEND_STALL_S = 30.0  # a full queue for so long: the reader is dropped

# --- a listener
SOCKETS_PER_ADDRESS = 16  # not yet OPEN or anonymous
SOCKETS_PRE_OPEN = 1000  # in all
SOCKETS_EARLY_DROP = 500  # from here on new ones are dropped at random, the more the fuller
REGISTRATIONS = 100  # per THROTTLE_WINDOW_S and address: a class or a LAN party behind one router
LOOKUPS = (
    300  # per THROTTLE_WINDOW_S and address: names asked for, so that nobody lists all accounts
)
THROTTLE_WINDOW_S = 900.0  # of REGISTRATIONS and LOOKUPS
STAGED_STATE_BYTES = 64 * MIB  # pages of account states not yet applied, of all sessions together
RECONNECT_FIRST_S = (0.2, 1.0)  # the first wait after a lost link, drawn evenly
RECONNECT_MOST_S = 20.0

# --- a relay
TICKET_BYTES = 16
TICKET_S = 20.0  # from its making until both halves are here
RELAYS = 1000  # pairs of halves at one tracker, those that are waited for included
RELAYS_PER_ACCOUNT = 64  # with all its friends' devices; each may need a control and a data link
RELAY_EARLY_BYTES = 64 * KIB  # of one half, kept until the other is here
RELAY_PAIR_BYTES = 2**30  # of two accounts in a day (UTC), both directions together
RELAY_PAIR_BYTES_PER_S = 10_000_000  # of two halves, both directions together
RELAY_BYTES_PER_S = 100_000_000  # of one tracker
DIAL_BACKS = (
    6  # per DIAL_BACK_WINDOW_S and device: a tracker dials nothing but the asker's own address
)
DIAL_BACK_WINDOW_S = 60.0
DIAL_BACK_S = 5.0  # for the connection to stand
PUNCHES = 1000  # introductions under way at one tracker
PUNCH_S = 5.0  # of trying to open a connection from both sides
ADDRESS_KEY_BYTES = 32  # AES-256, of one device's address records
SEALED_PLACES_BYTES = 1024  # ADDRESSES of the longest, padded
SHOWN_LOG = 10_000  # entries about who was given an address, those of the present key beside them
MAPPING_S = 7200  # asked of a router for one port (RFC 6886, section 3.3); renewed at half of what it grants
MAPPING_LEAST_S = (
    120.0  # granted for less, it is still renewed no more often than each half of this
)
MAPPING_AGAIN_S = 600.0  # after a router that said no, or nothing
UNMAPPING_S = 3.0  # to take it back at the end: a router that is gone keeps nobody
RELAY_IDLE_S = 90.0  # nothing passed: a link that lived would have pinged four times

# --- a log
REFUSED_LINES_PER_S = 20  # about what others were refused: the rest of a flood is one line
REFUSED_LINES_PER_HOUR = 2000  # at most 15 MB a day, whoever knocks: no stranger fills a disk by it

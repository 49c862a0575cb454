"""What each field of each message means: from the comment beside it, or from what the name means everywhere."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from pathlib import Path

EVERYWHERE = {
    "request": "chosen by the asker; the answer repeats it",
    "fetch": "chosen by the asker, never used twice on its link; answers repeat it",
    "name": "of an account",
    "identity": "of the account, an Ed25519 public key",
    "conversation": "which one, section 4",
    "offering_device": "with `offer`: which offer",
    "offer": "the offer's 16 random bytes",
    "file": "file index: counts the files of the manifest from 0",
    "certificate": "signed, section 3",
    "device_list": "signed, section 3",
    "boot_id": "16 random bytes, new at each start of the program",
    "features": "bits; none is defined yet, unknown ones are ignored",
    "code": "of section 7",
    "text": "for people; nothing is decided by it",
    "token": "any; the Pong repeats it",
    "show": "what is shown",
    "is_last": "no further page follows",
    "page": "from 0",
    "pages": "how many there are in all",
    "content": "of this page",
    "device": "which device",
    "epoch": "which run of its author",
    "digest": "BLAKE3 of the bytes, section 5",
    "length": "bytes",
    "at": "when the tracker took it; milliseconds since 1970, UTC",
    "salt": "the account's 16 random bytes, section 3",
    "memory_kib": "Argon2id m",
    "passes": "Argon2id t",
    "lanes": "Argon2id p",
    "vault": "sealed by the password, section 3",
    "vault_counter": "of the vault: one more with each",
    "state_version": "of the account state; 0: none was ever put",
    "has_recovery_key": "one is mixed into the password's keys",
    "until": "milliseconds since 1970; 0: until changed, else it goes back to available then",
}
"""By the field's name; a comment beside the field in `wire/messages` goes before."""


def meaning(cls: type, field: str) -> str:
    """Give what a field of a message or of one of its rows means; empty if nobody says."""
    return _comments(Path(inspect.getfile(cls))).get((cls.__name__, field)) or EVERYWHERE.get(
        field, ""
    )


@cache
def _comments(file: Path) -> dict[tuple[str, str], str]:
    """Give the comment that stands beside each field of each class of a file."""
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    found: dict[tuple[str, str], str] = {}
    for cls in ast.parse(text).body:
        if not isinstance(cls, ast.ClassDef):
            continue
        for node in cls.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                own = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                said = re.search(r"#\s*(.*)", own)
                if said is not None:
                    found[cls.name, node.target.id] = said[1].strip()
    return found

"""Writes the vectors that follow from fixed seeds: `python -m tests.vectors.make`.

The same bytes every time; only the ML-KEM encapsulation of link.json and the item of mail.json, which
cannot be seeded, are kept from the files that are there. So a change of these files is a change of the protocol.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.vectors import identities, links, logs, mails, passwords, states, transfers

FOLDER = Path(__file__).parent
MAKERS: dict[str, Callable[[], dict[str, Any]]] = {
    "identity": identities.make,
    "password": passwords.make,
    "state": states.make,
    "log": logs.make,
    "mail": lambda: mails.make(mails.kept(FOLDER / "mail.json")),
    "transfer": transfers.make,
    "link": lambda: links.make(links.kept(FOLDER / "link.json")),
}


def plain(value: object) -> Any:
    """Give a value as JSON can hold it: bytes as {"hex": ...}."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(one) for one in value]
    return value


def text_of(name: str) -> str:
    """Give the text of one file."""
    text = json.dumps(plain(MAKERS[name]()), indent=1, ensure_ascii=False)
    return re.sub(r'\{\s+("hex": "[0-9a-f]*")\s+\}', r"{\1}", text) + "\n"


def main() -> None:
    """Write every file."""
    for name in MAKERS:
        (FOLDER / f"{name}.json").write_text(text_of(name), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Frozen messages: their numbers and one encoded example of each, as released.

`python -m tests.wire.messages.freeze` adds what is registered and not frozen yet, and changes nothing that
is. An entry is taken out by hand only while no version that sends it was released; then it is frozen anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from tests.strategies import REGISTERED
from wire import codec
from wire.messages import NUMBER_OF, Message

VECTORS = Path(__file__).parents[2] / "vectors"
NUMBERS_FILE = VECTORS / "message_numbers.json"
FRAMES_FILE = VECTORS / "frames.json"

Row = dict[str, Any]


def example_of(cls: type[Message]) -> Message:
    """One message of a class, every field filled in, the same every time."""
    made = _example(inspect.type_info(cls), 1)
    assert isinstance(made, Message)
    return made


def _example(schema: inspect.Type, salt: int) -> object:
    match schema:
        case inspect.StructType():
            fields = enumerate(schema.fields, salt + 1)
            return schema.cls(**{field.name: _example(field.type, at) for at, field in fields})
        case inspect.VarTupleType():
            return tuple(_example(schema.item_type, salt + at) for at in (1, 2))
        case inspect.IntType():
            return min((schema.ge or 0) + salt, schema.le or 2**20)
        case inspect.EnumType():
            members = list(schema.cls)
            return members[salt % len(members)]
        case inspect.BoolType():
            return salt % 2 == 0
        case inspect.StrType(pattern=None):
            return f"text {salt} é"
        case inspect.StrType():
            return f"name{salt}"
        case inspect.BytesType():
            length = max(schema.min_length or 0, min(schema.max_length or 20, 20))
            return bytes((salt + at) % 256 for at in range(length))
        case inspect.UnionType():
            return _example(schema.types[0], salt)
        case _:
            raise AssertionError(f"no example for {schema}: teach this builder")


def plain(message: object) -> Any:
    """The fields of a message as JSON can hold them; bytes as hex."""
    if isinstance(message, Message):
        return [plain(getattr(message, name)) for name in message.__struct_fields__]
    if isinstance(message, tuple):
        return [plain(item) for item in message]
    if isinstance(message, bytes):
        return {"hex": message.hex()}
    return msgspec.to_builtins(message)


def numbers() -> dict[str, str]:
    """Name of every frozen message by its number in hex, as registered now."""
    return {f"0x{NUMBER_OF[cls]:04X}": cls.__name__ for cls in sorted_classes()}


def sorted_classes() -> list[type[Message]]:
    """Every registered message by number."""
    return sorted({cls for cls, _ in REGISTERED}, key=lambda cls: NUMBER_OF[cls] & 0x7FFF)


def frames() -> dict[str, Row]:
    """One example of every registered message, by name."""
    return {
        cls.__name__: {
            "purposes": [purpose.name.lower() for its, purpose in REGISTERED if its is cls],
            "record": codec.encode(_purpose_of(cls), example_of(cls)).hex(),
            "fields": plain(example_of(cls)),
        }
        for cls in sorted_classes()
    }


def _purpose_of(cls: type[Message]) -> Any:
    return next(purpose for its, purpose in REGISTERED if its is cls)


def read(file: Path) -> dict[str, Any]:
    """What is frozen in a file."""
    frozen: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return frozen


def main() -> None:
    """Add what is not frozen yet."""
    for file, present in ((NUMBERS_FILE, numbers()), (FRAMES_FILE, frames())):
        frozen = read(file)
        added = {name: row for name, row in present.items() if name not in frozen}
        rows = [
            f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in {**frozen, **added}.items()
        ]
        file.write_text("{\n" + ",\n".join(rows) + "\n}\n")
        print(f"{file.name}: {len(added)} added, {len(frozen)} kept")


if __name__ == "__main__":
    main()

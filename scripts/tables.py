"""The tables of the documentation that are made from the code, between `<!-- table: NAME -->` and `<!-- end -->`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

TABLE = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
TEXTS = ("peer/USING.md", "wire/PROTOCOL.md")


def rows(*heads: str, of: list[tuple[str, ...]]) -> str:
    """Give a Markdown table."""
    lines = [heads, ("---",) * len(heads), *of]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def verbs() -> str:
    """Give every verb with its options."""
    from importlib import import_module

    from peer.cli.arguments import Arguments
    from peer.cli.verbs import VERBS

    table = []
    for verb in VERBS:
        arguments = Arguments(verb.words, verb.summary)
        module = import_module(f"peer.cli.commands.{verb.module}")
        getattr(module, f"declare_{verb.words.split()[-1].replace('-', '_')}")(arguments)
        usage = " ".join(arguments.format_usage().split()).removeprefix("usage: hobnob ")
        short = usage.replace("[-h] [--home DIR] [--json]", "").replace(
            "[--password-file FILE]", ""
        )
        table.append((f"`{' '.join(short.split())}`".replace("|", r"\|"), verb.summary))
    return rows("verb", "does", of=table)


def codes() -> str:
    """Give every error code with its two sentences."""
    from wire.codes import Code

    table = [(f"`{code.value}`", code.what, code.remedy) for code in Code]
    return rows("code", "what happened", "what to do", of=sorted(table))


def made() -> dict[str, Callable[[], str]]:
    """Give who makes which table."""
    import protocol_tables

    return {"verbs": verbs, "codes": codes, **protocol_tables.MADE}


def main(words: list[str]) -> int:
    """Write or check all tables; gives the exit code."""
    makers = made()
    stale = []
    for name in TEXTS:
        path = ROOT / name
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        fresh = TABLE.sub(lambda match: f"{match[1]}{makers[match[2]]()}{match[3]}", text)
        if fresh != text:
            stale.append(name)
            if "--check" not in words:
                path.write_text(fresh, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'stale; run scripts/tables' if '--check' in words else 'written'}")
    return 1 if stale and "--check" in words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A page of the docs, done as a reader would: its files written, its commands run, what they print compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"(?:^(`[^`\n]+`(?:, [^\n]*)?)\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_AT_END, _UNDER = ", at its end", ", under "
_STATUS = "echo $?"
PATIENCE = 300


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the line before it if that names a file, and its text."""

    language: str
    title: str
    text: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(language, title.replace("`", ""), text) for title, language, text in _BLOCK.findall(page)]


def follow(page: str, folder: Path) -> None:
    """Do all that a page says, in a folder.

    Raises:
        AssertionError: a command ended otherwise than the page shows, or printed something else.
    """
    for block in blocks(page):
        if block.language == "console":
            _run(block.text, folder)
        elif block.title:
            _write(block, folder)


def _write(block: Block, folder: Path) -> None:
    name, text = block.title, block.text
    path = folder / name.partition(",")[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(_AT_END):
        text = path.read_text() + text
    elif _UNDER in name:
        line = name.partition(_UNDER)[2] + "\n"
        before, found, after = path.read_text().partition(line)
        assert found, f"{path} has no line {line!r}"
        text = before + found + text + after
    path.write_text(text)


def _run(text: str, folder: Path) -> None:
    status = 0
    for command, shown in _commands(text):
        if command == _STATUS:
            assert shown == [str(status)], f"the command before ended with {status}, not {shown}"
            status = 0
            continue
        assert status == 0, f"the command before ended with {status}, and the page does not say so"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**os.environ, "PATH": path, "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        status = done.returncode
        assert _fits(shown, done.stdout), f"$ {command}\nprinted:\n{done.stdout}\nthe page shows:\n" + "\n".join(shown)
    assert status == 0, f"{command} ended with {status}, and the page does not say so"


def _commands(text: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(line)
    return found


def _fits(shown: list[str], printed: str) -> bool:
    """Whether what was printed is what is shown; `...` stands for anything, at the ends of lines and between them."""
    if not shown:
        return not printed.strip()
    lines = ("(?s:.*)" if line == "..." else r"\n" + re.escape(line).replace(r"\.\.\.", ".*") for line in shown)
    return re.fullmatch("".join(lines), "\n" + printed.rstrip("\n")) is not None

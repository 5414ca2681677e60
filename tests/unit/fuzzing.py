"""Files that nobody would write: a real spec with its bytes, its structure or its words made odd by a seed."""

import copy
import json
import random
from pathlib import Path

from clspec.load import load

FULL = Path(__file__).parents[1] / "data" / "full.yaml"
TEXT = FULL.read_text()
VALUE = load(TEXT, "full.yaml")[0].value

WORDS = (
    "", " ", "a", "no", "0755", "é", "ﬀ", "\u202e", "\u2028", "\x00", "\ud800", "\U0001f9ea",
    "x" * 5000, "a\nb", "'", '"',
    "label = 'dog'", "label == 3", "not " * 60 + "true", "(" * 400, "1e999", "-0", "clspec.dev/v9", "CLS412",
    "2027-02-30",
    "s3://a:b@c/d", "{{x}}", "${x}", "../../..", "/etc/passwd", "a" * 300 + ":b", "python:m:f", "* * * * *", "6 hours",
    "golden", "canonical", "fleet", "*x", "&x", "<<", "!!x", "-----BEGIN PRIVATE KEY-----",
)  # fmt: skip
NUMBERS = (0, -1, 1, 3.0, 1e308, -1e-320, 2**63 - 1, -(2**63), 10**9, 0.5)
BYTES = (b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\t", b"\n", b": ", b"- ", b"[", b"{",
         b"'", b'"', b"&a ", b"*a", b"!", b"|", b">", b"%", b"#", b"? ", b"<<: *a", b"---\n",
         b"\xe2\x80\xae", b"\x1b[31m")  # fmt: skip


def value(chance, depth=0):
    """Something that a spec may hold anywhere, and should not."""
    kind = chance.randrange(8 if depth < 3 else 5)
    if kind == 0:
        return chance.choice((None, True, False))
    if kind == 1:
        return chance.choice(NUMBERS)
    if kind < 5:
        return chance.choice(WORDS)
    if kind == 5:
        return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind == 6:
        return {chance.choice(WORDS): value(chance, depth + 1) for _ in range(chance.randrange(4))}
    return copy.deepcopy(VALUE[chance.choice(sorted(VALUE))])


def odd_bytes(chance):
    """The text with bytes put in, taken out, moved or said again."""
    data = TEXT.encode()
    for _ in range(chance.randint(1, 6)):
        at, size = chance.randrange(len(data)), chance.randrange(1, 40)
        piece = chance.choice((chance.choice(BYTES), data[at : at + size] * 2, chance.randbytes(3), b""))
        data = data[:at] + piece + data[at + chance.choice((0, size)) :]
    return data[: chance.randrange(len(data))] if chance.random() < 0.1 else data


def odd_structure(chance):
    """The spec with parts replaced, gone, renamed or said again."""
    found = copy.deepcopy(VALUE)
    for _ in range(chance.randint(1, 5)):
        target = found
        for _ in range(chance.randint(0, 6)):
            items = list(target.values()) if isinstance(target, dict) else target
            below = [item for item in items if isinstance(item, dict | list) and item]
            if not below:
                break
            target = chance.choice(below)
        _twist(target, chance)
    return json.dumps(found, indent=chance.choice((None, 1)), ensure_ascii=chance.random() < 0.5).encode(
        "utf-8", "surrogatepass"
    )


def _twist(target, chance):
    keys = list(target) if isinstance(target, dict) else list(range(len(target)))
    if not keys:
        return
    key, kind = chance.choice(keys), chance.randrange(5)
    if kind == 0:
        del target[key]
    elif kind == 1 and isinstance(target, dict):
        target[chance.choice((*WORDS, f"{key}x", key.upper(), key[:-1]))] = target.pop(key)
    elif kind == 2 and isinstance(target, list):
        target.append(copy.deepcopy(target[key]))
    elif kind == 3 and isinstance(target[key], str):
        at = chance.randrange(len(target[key]) + 1)
        target[key] = target[key][:at] + chance.choice(WORDS) + target[key][at:]
    else:
        target[key] = value(chance)


def odd_words(chance):
    """The text with words of it replaced by odd ones, as they stand."""
    words = TEXT.split(" ")
    for _ in range(chance.randint(1, 5)):
        words[chance.randrange(len(words))] = chance.choice(WORDS)
    return " ".join(words).encode("utf-8", "surrogatepass")


KINDS = (odd_bytes, odd_structure, odd_words)


def odd_file(seed):
    """The bytes of a file, the same for the same seed."""
    chance = random.Random(seed)
    return chance.choice(KINDS)(chance)

"""What a YAML parser's complaint means to somebody who wrote the file, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from yaml.error import MarkedYAMLError

from clspec.reading.findings import Finding
from clspec.reading.hidden import visible

if TYPE_CHECKING:
    from collections.abc import Callable

_QUOTE = "put the value in quotes"


@dataclass(frozen=True, slots=True)
class Complaint:
    """The parser's words with the places they are about, and what stood around when it gave up."""

    text: str
    problem: str
    context: str
    at: int
    """The offset of the problem."""
    since: int
    """The offset at which what the problem is in began; that of the problem where the parser does not say."""
    last: tuple[int, int]
    """The offsets of the last key or value that was read."""
    bracket: int | None
    """The offset of the innermost `[` or `{` that is still open."""

    @property
    def character(self) -> str:
        """What stands at the problem, nothing at the end of the text."""
        return self.text[self.at : self.at + 1]

    def line(self, offset: int) -> int:
        """The number of the line that an offset is on."""
        return self.text.count("\n", 0, offset) + 1

    def before(self, offset: int) -> str:
        """What stands before an offset on its line."""
        return self.text[self.text.rfind("\n", 0, offset) + 1 : offset]

    def found(self, message: str, hint: str = "", at: int | None = None, code: str = "CLS101") -> Finding:
        """A finding, at the problem if no other place is given."""
        start = self.at if at is None else at
        return Finding(code, (), start, start + 1, message, hint)


def explained(error: Exception, text: str, last: tuple[int, int], bracket: int | None) -> Finding:
    """The problem that made the parser give up, in words that help."""
    if not isinstance(error, MarkedYAMLError):
        return Finding("CLS101", (), last[1], last[1] + 1, f"not valid YAML: {visible(str(error), 200)}")
    mark, context = error.problem_mark or error.context_mark, error.context_mark or error.problem_mark
    at = min(mark.index, len(text)) if mark else last[1]
    since = min(context.index, len(text)) if context else at
    complaint = Complaint(text, error.problem or "", error.context or "", at, since, last, bracket)
    if complaint.character == "\t" and not complaint.before(at).strip(" \t-"):
        return complaint.found("a tab indents this line; YAML is indented with spaces", "replace the tab by spaces")
    for words, explain in _EXPLANATIONS:
        if words in complaint.problem or words in complaint.context:
            return explain(complaint)
    return complaint.found(f"not valid YAML: {visible(complaint.problem, 200)}")


def _too_deep(c: Complaint) -> Finding:
    return c.found("too many lists and mappings in one another", code="CLS109")


def _bad_start(c: Complaint) -> Finding:
    if c.character == "\t":
        return c.found("a tab separates a key from its value; spaces do", "replace the tab by a space")
    sign = "a backtick" if c.character == "`" else f"`{visible(c.character)}`"
    return c.found(f"no unquoted value begins with {sign}", _QUOTE)


def _second_colon(c: Complaint) -> Finding:
    if ": " in c.before(c.at):
        return c.found("a second `:` on this line", "quote the value if the `:` is part of it")
    line = c.line(c.last[0])
    return c.found(
        f"a key that stands under a value: the text of line {line} goes on here",
        f"line {line} may lack its `:`, or this line is indented too far",
    )


def _inline_item(c: Complaint) -> Finding:
    hint = "begin the list on the next line, write `[a, b]`, or quote a value that begins with `- `"
    return c.found("a list cannot begin with `-` on this line", hint)


def _no_colon(c: Complaint) -> Finding:
    return c.found("a line that is neither `key: value` nor a list item", "does it lack a `:` or a quote?", at=c.since)


def _open_quote(c: Complaint) -> Finding:
    quote = c.text[c.since : c.since + 1]
    return c.found(f"the quote {quote} that opens here is never closed", f"close it with {quote}", at=c.since)


def _open_bracket(c: Complaint) -> Finding:
    bracket, close = c.text[c.since : c.since + 1], "]" if "]" in c.problem else "}"
    line = c.line(c.at)
    if line == c.line(c.since):
        return c.found(f"`,` or `{close}` is missing before this", "quote a value that holds `: `, `,` or a bracket")
    rest = c.text[c.since : c.text.find("\n", c.since)]
    hint = "the ` #` begins a comment that hides the bracket" if " #" in rest else f"close it with `{close}`"
    return c.found(f"the `{bracket}` that opens here is not closed by line {line}", hint, at=c.since)


def _no_value(c: Complaint) -> Finding:
    if c.character:
        return c.found(f"a value is missing before `{visible(c.character)}`", "quote a value that begins with it")
    if c.bracket is None:
        return c.found("the text ends where a value is missing")
    return c.found(f"the `{c.text[c.bracket]}` that opens here is never closed", at=c.bracket)


def _out_of_line(c: Complaint) -> Finding:
    if c.character == ":":
        return c.found("a key is missing before the `:`", "quote a value that begins with `:`")
    start, end = c.last
    quoted = c.text[start : start + 1] in ("'", '"')
    if quoted and c.line(end) == c.line(c.at) and c.before(c.at).strip():
        hint = "a quote inside single quotes is doubled: 'it''s'; inside double quotes it is escaped: \\\""
        if c.line(start) < c.line(end):
            hint = f"is the quote on line {c.line(start)} not closed there?"
        return c.found("text after a closing quote", hint)
    if c.text.startswith("*", start) and c.line(start) == c.line(c.at):
        return c.found("text after an alias", "quote a value that begins with `*`")
    what = "list" if "collection" in c.context else "mapping"
    hint = "indent it as what it belongs to"
    return c.found(f"this does not line up with the {what} that begins on line {c.line(c.since)}", hint)


def _no_text(c: Complaint) -> Finding:
    hint = "begin the text on the next line, indented, or quote a value that begins with `|` or `>`"
    return c.found("after `|` or `>` comes nothing but a `-` or `+` and the indentation, a digit", hint)


def _tight_colon(c: Complaint) -> Finding:
    hint = "put a space after it, or quote the value if the `:` is part of it"
    return c.found("a `:` without a space after it", hint)


def _bad_name(c: Complaint) -> Finding:
    sign = c.text[c.since : c.since + 1]
    return c.found(f"no unquoted value begins with `{sign}`, the sign of an alias or anchor", _QUOTE, at=c.since)


def _bad_escape(c: Complaint) -> Finding:
    hint = "write \\\\ for a backslash, or use single quotes, in which it has no meaning"
    return c.found("an escape that YAML does not have, in double quotes", hint)


def _bad_tag(c: Complaint) -> Finding:
    return c.found("a tag; a spec has no tags", "quote the value if it begins with `!`", at=c.since, code="CLS107")


def _bad_directive(c: Complaint) -> Finding:
    return c.found(
        "a line that begins with `%` is a directive; `%YAML 1.2` is the only useful one", "remove the line, or quote it"
    )


def _no_start(c: Complaint) -> Finding:
    if c.last[1] == 0:
        return c.found("after a directive, `---` begins the document", "remove the directive")
    return c.found("text after the end of the document", "one file is one spec: remove it", code="CLS113")


# libyaml's words and those of PyYAML's own parser, the more telling first.
_EXPLANATIONS: tuple[tuple[str, Callable[[Complaint], Finding]], ...] = (
    ("nesting depth", _too_deep),
    ("directive", _bad_directive),
    ("YAML document", _bad_directive),
    ("duplicate tag handle", _bad_directive),
    ("<document start>", _no_start),
    ("a tag", _bad_tag),
    ("tag handle", _bad_tag),
    ("a block scalar", _no_text),
    ("unexpected ':'", _tight_colon),
    ("an alias", _bad_name),
    ("an anchor", _bad_name),
    ("cannot start any token", _bad_start),
    ("mapping values are not allowed", _second_colon),
    ("sequence entries are not allowed", _inline_item),
    ("could not find expected ':'", _no_colon),
    ("unexpected end of stream", _open_quote),
    ("expected ',' or", _open_bracket),
    ("node content", _no_value),
    ("expected key", _out_of_line),
    ("'-' indicator", _out_of_line),
    ("<block end>", _out_of_line),
    ("escape", _bad_escape),
    ("hexdecimal", _bad_escape),
)

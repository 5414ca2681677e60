"""A run as it goes: drawn in a terminal, told in lines elsewhere, and as JSON for programs."""

import io
import json
import re
import threading

import pytest

from clspec.backend import Happening, State
from clspec.cli.progress import Events, Lines, Live, chosen
from clspec.diagnostic import UsageError

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-9]|9[0-7])m")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    """A stream that says that people look at it."""

    def isatty(self):
        return True


class Gone(Terminal):
    """A terminal that somebody has closed."""

    def write(self, _):
        raise OSError(5, "Input/output error")


@pytest.fixture(autouse=True)
def a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("CI", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


STORY = (
    Happening(step="pin", state=State.REUSED),
    Happening(step="train-seed-1", state=State.STARTED, note="params.lr 0.001 -> 0.003"),
    Happening(step="train-seed-1", state=State.PROGRESS, seconds=1.0, note="3 of 10 epochs"),
    Happening(step="train-seed-1", state=State.RETRIED, seconds=2.0, note="signal SIGKILL; try 2 of 2"),
    Happening(step="predict", state=State.STARTED, note="input model changed"),
    Happening(step="train-seed-1", state=State.DONE, seconds=61.0),
    Happening(step="predict", state=State.FAILED, seconds=0.5, note="exit code 3 \x1b[2J"),
    Happening(step="report", state=State.NOT_RUN),
)


def shown(progress, stream):
    for happening in STORY:
        progress.tell(happening)
    progress.close()
    return stream.getvalue()


@pytest.mark.parametrize(
    ("word", "terminal", "environment", "kind"),
    [
        ("auto", True, {}, Live),
        ("auto", False, {}, Lines),
        ("auto", True, {"CI": "true"}, Lines),
        ("auto", True, {"TERM": "dumb"}, Lines),
        ("plain", True, {}, Lines),
        ("live", True, {"CI": "true"}, Live),
        ("json", True, {}, Events),
    ],
)
def test_how_it_is_shown_follows_from_where_and_from_what_was_asked(monkeypatch, word, terminal, environment, kind):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    err = Terminal() if terminal else io.StringIO()
    assert type(chosen(word, io.StringIO(), err, colours="auto")) is kind


def test_live_without_a_terminal_is_refused():
    with pytest.raises(UsageError, match="needs a terminal"):
        chosen("live", io.StringIO(), io.StringIO(), colours="auto")


def test_plain_lines_tell_each_beginning_with_its_reason_and_each_end():
    assert shown(Lines(stream := io.StringIO()), stream).splitlines() == [
        "  = pin                          up to date",
        "  > train-seed-1 started: params.lr 0.001 -> 0.003",
        "  ~ train-seed-1                 retried        2.0 s  signal SIGKILL; try 2 of 2",
        "  > predict started: input model changed",
        "  + train-seed-1                 done          61.0 s",
        "  x predict                      failed         0.5 s  exit code 3 \\x1b[2J",
    ]


def test_in_a_terminal_what_is_at_work_is_drawn_with_how_far_it_is_and_taken_away():
    threads = threading.active_count()
    stream = Terminal()
    progress = Live(stream, colours="auto", clock=iter(range(100)).__next__)
    for happening in STORY[:3]:
        progress.tell(happening)
    drawn = CONTROL.sub("", stream.getvalue())
    assert "= pin" in drawn
    assert re.search(r"> train-seed-1 +\d s .*━.*3 of 10 epochs", drawn)
    assert threading.active_count() == threads  # a step is forked from this process
    for happening in STORY[3:]:
        progress.tell(happening)
    progress.close()
    text = stream.getvalue()
    assert re.search(r"\+ train-seed-1 +done +61.0 s  params.lr 0.001 -> 0.003", text)
    assert "exit code 3 \\x1b[2J" in text
    assert "\x1b[2J" not in text
    assert text.rstrip("\r\n").endswith(("\x1b[?25h", "\x1b[2K", "\x1b[0m"))
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h")  # the cursor is back


def test_there_is_no_colour_where_none_is_wanted(monkeypatch):
    assert COLOUR.search(shown(Live(stream := Terminal(), colours="auto"), stream))
    assert not COLOUR.search(shown(Live(stream := Terminal(), colours="never"), stream))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not COLOUR.search(shown(Live(stream := Terminal(), colours="auto"), stream))
    assert COLOUR.search(shown(Live(stream := Terminal(), colours="always"), stream))


@pytest.mark.parametrize("columns", [20, 40, 59, 60, 100])
def test_what_is_drawn_is_no_wider_than_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    progress = Live(stream, colours="never")
    progress.tell(STORY[1])
    progress.tell(STORY[2])
    lines = re.split(r"[\r\n]", CONTROL.sub("", stream.getvalue()))
    assert any("train" in line for line in lines)
    assert max(map(len, lines)) <= columns
    assert ("━" in stream.getvalue()) == (columns >= 60)


def test_a_terminal_that_is_closed_ends_no_run():
    for progress in (Live(Gone(), colours="auto"), Lines(Gone()), Events(Gone())):
        for happening in STORY:
            progress.tell(happening)
        progress.close()


def test_events_tell_how_far_a_step_is_in_numbers():
    stream = io.StringIO()
    events = [json.loads(line) for line in shown(Events(stream), stream).splitlines()]
    assert len(events) == len(STORY)
    far = events[2]
    assert (far["state"], far["done"], far["of"], far["what"]) == ("progress", 3, 10, "epochs")

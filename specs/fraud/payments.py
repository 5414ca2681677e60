"""Card payments as a bank sees them, made up: accounts with habits, thieves with theirs, disputes that come late.

Everything is synthetic and follows from an account's name through integer arithmetic, so that the same rows come out
on every machine. Rows are yielded one at a time; no more than one account is ever held.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator

CHANNELS = ("card", "online", "transfer")
REGIONS = ("north", "south", "east", "west")

_STOLEN = 40  # of a thousand accounts: with about three stolen payments among ten, one payment in a hundred is stolen
_DISPUTED = 950  # of a thousand stolen payments; nobody ever misses the rest
_BLOCKED_FROM = 60  # what the old scorecard takes for fraud, in points


class Payment(TypedDict):
    """One payment; `in_last_hour` counts those of the account before it, `times_usual` compares with its habit."""

    payment_id: str
    account_id: str
    paid_at: datetime
    channel: str
    region: str
    cents: int
    times_usual: float
    in_last_hour: int
    hour: int
    new_device: bool
    abroad: bool


class _Dice:
    """Numbers that depend on a name only: 32 bits at a time from sha256."""

    def __init__(self, name: str) -> None:
        self._name, self._block, self._words = name, 0, [0]

    def between(self, low: int, high: int) -> int:
        """Return an integer in [low, high]."""
        if len(self._words) == 1:
            digest = hashlib.sha256(f"{self._name}#{self._block}".encode()).digest()
            self._block += 1
            self._words += [int.from_bytes(digest[at : at + 4], "big") for at in range(0, 32, 4)]
        return low + (self._words.pop() * (high - low + 1) >> 32)

    def chance(self, per_mille: int) -> bool:
        """Return true `per_mille` times in a thousand."""
        return self.between(0, 999) < per_mille

    def spread(self, middle: int, share: int) -> int:
        """Return a number about the middle: the sum of three dice, each up to `share` per cent of it off."""
        return middle * (300 + sum(self.between(-share, share) for _ in range(3))) // 300


@dataclass(frozen=True, kw_only=True)
class _Book:
    """The accounts of a source, and the days that it is about."""

    name: str
    accounts: int
    begins: datetime
    days: int


_LEARNED = _Book(name="learned", accounts=4000, begins=datetime(2025, 9, 1, tzinfo=UTC), days=60)
_GOLDEN = _Book(name="golden", accounts=6500, begins=datetime(2025, 12, 1, tzinfo=UTC), days=60)
_RECENT = _Book(name="recent", accounts=3000, begins=datetime(2026, 3, 1, tzinfo=UTC), days=120)


class _Dealt(NamedTuple):
    """A payment and the truth about it."""

    payment: Payment
    stolen: bool


def learned() -> Iterator[dict[str, object]]:
    """Yield what the first model learns from: about 40,000 synthetic payments, one in a hundred stolen."""
    return _labelled(_LEARNED)


def golden() -> Iterator[dict[str, object]]:
    """Yield what models are judged on: about 66,000 synthetic payments of other accounts."""
    return _labelled(_GOLDEN)


def authorised() -> Iterator[dict[str, object]]:
    """Yield four months of synthetic payments with what the bank's old scorecard said of them, not the truth."""
    for payment, _ in _book(_RECENT):
        points = _scorecard(payment)
        said = "fraud" if points >= _BLOCKED_FROM else "legit"
        yield {**payment, "said": said, "belief": max(points, 100 - points) / 100}


def chargebacks() -> Iterator[dict[str, object]]:
    """Yield the disputes about these payments: 30 to 90 days late, and one stolen payment in twenty is never missed."""
    for payment, stolen in _book(_RECENT):
        dice = _Dice(f"{payment['payment_id']}/chargeback")
        if stolen and dice.chance(_DISPUTED):
            filed = payment["paid_at"] + timedelta(days=dice.between(30, 89), minutes=dice.between(0, 1439))
            yield {"payment_id": payment["payment_id"], "finding": "fraud", "filed_at": filed}


def _labelled(book: _Book) -> Iterator[dict[str, object]]:
    for payment, stolen in _book(book):
        yield {**payment, "label": "fraud" if stolen else "legit"}


def _book(book: _Book) -> Iterator[_Dealt]:
    for number in range(book.accounts):
        yield from _account(book, f"{book.name}-{number:06d}")


def _account(book: _Book, account_id: str) -> Iterator[_Dealt]:
    """One account's payments: its owner's and, where a thief has its card, three or so more within hours."""
    dice = _Dice(account_id)
    usual, region = dice.spread(4000, 70), REGIONS[dice.between(0, len(REGIONS) - 1)]
    online = dice.between(200, 600)
    for number in range(dice.between(8, 12)):
        own = _Dice(f"{account_id}/{number}")
        moment = _moment(book, own, own.between(7, 22))
        yield _Dealt(_own(own, account_id, region, usual, online, moment), stolen=False)
    if dice.chance(_STOLEN):
        begins = _moment(book, dice, dice.between(0, 23))
        trying = dice.chance(300)
        for number in range(dice.between(2, 4)):
            his = _Dice(f"{account_id}/stolen/{number}")
            moment = begins + timedelta(minutes=17 * number + his.between(0, 9))
            yield _Dealt(_thiefs(his, account_id, region, usual, moment, trying=trying), stolen=True)


def _moment(book: _Book, dice: _Dice, hour: int) -> datetime:
    return book.begins + timedelta(days=dice.between(0, book.days - 1), hours=hour, minutes=dice.between(0, 59))


def _own(  # noqa: PLR0913, PLR0917  # what an account's owner is like
    dice: _Dice, account_id: str, region: str, usual: int, online: int, moment: datetime
) -> Payment:
    """A payment of the owner: now and then large, from a new phone, on holiday, or in a row of several."""
    cents = dice.spread(usual, 90) * (dice.between(3, 9) if dice.chance(25) else 1)
    channel = CHANNELS[1] if dice.chance(online) else CHANNELS[2] if dice.chance(120) else CHANNELS[0]
    pace = dice.between(2, 6) if dice.chance(25) else dice.between(0, 1)
    return _payment(
        account_id, region, moment, channel, cents, usual, pace, new_device=dice.chance(30), abroad=dice.chance(30)
    )


def _thiefs(  # noqa: PLR0913  # what a thief knows of an account
    dice: _Dice, account_id: str, region: str, usual: int, moment: datetime, *, trying: bool
) -> Payment:
    """A payment of a thief, who first tries the card with small sums in quick succession, or empties it at once."""
    channel = CHANNELS[1] if dice.chance(800) else CHANNELS[2] if dice.chance(700) else CHANNELS[0]
    cents = dice.between(50, 400) if trying else usual * dice.between(300, 1200) // 100
    pace = dice.between(5, 12) if trying else dice.between(1, 5)
    abroad = dice.chance(300 if region == "west" else 600)
    return _payment(account_id, region, moment, channel, cents, usual, pace, new_device=dice.chance(900), abroad=abroad)


def _payment(  # noqa: PLR0913, PLR0917  # a payment has that many sides
    account_id: str,
    region: str,
    moment: datetime,
    channel: str,
    cents: int,
    usual: int,
    pace: int,
    *,
    new_device: bool,
    abroad: bool,
) -> Payment:
    name = f"{account_id}/{moment.isoformat()}/{channel}/{cents}/{pace}"
    return {
        "payment_id": hashlib.sha256(name.encode()).hexdigest()[:20],
        "account_id": account_id,
        "paid_at": moment,
        "channel": channel,
        "region": region,
        "cents": cents,
        "times_usual": round(cents / usual, 3),
        "in_last_hour": pace,
        "hour": moment.hour,
        "new_device": new_device,
        "abroad": abroad,
    }


def _scorecard(payment: Payment) -> int:
    """Points for what the bank found suspicious ten years ago, 0 to 100; it knows nothing of thieves who try cards."""
    points = 5
    points += 40 if payment["times_usual"] >= 5 else 15 if payment["times_usual"] >= 3 else 0  # noqa: PLR2004
    points += 25 if payment["new_device"] else 0
    points += 20 if payment["abroad"] else 0
    return points + (10 if payment["hour"] < 6 else 0)  # noqa: PLR2004

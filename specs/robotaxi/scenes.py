"""What the car's camera saw: synthetic 32x32 grey road scenes, drawn, not photographed.

Everything about a ride follows from its name through integer arithmetic alone, so the same bytes come
out on every machine, Python and numpy. No real road, person or animal was ever in front of a lens here.
"""

from __future__ import annotations

import hashlib
from bisect import bisect
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, TypedDict

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Pixels = NDArray[np.int16]

CLASSES = ("none", "vehicle", "pedestrian", "cyclist", "dog")
SIDE = 32

_CLEAR = -1  # a sprite's transparent pixel
_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15


class Frame(TypedDict):
    """One labelled camera frame; `frame` is 32 x 32 bytes, row by row from the top left."""

    frame_sha256: str
    ride_id: str
    ts: str
    frame: bytes
    label: str
    lighting: str
    weather: str
    occlusion: float


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """Where and how a fleet was sent out; the odds are in parts of a thousand."""

    name: str
    rides: int
    begins: datetime
    labels: tuple[int, int, int, int, int]
    night: int
    rain: int
    occluded: int
    look: int = 0
    """Which look at the same scenes this is: from one to the next nothing differs but the sensor's grain."""


def first_drives() -> Iterator[Frame]:
    """Yield the first training data: about 3,000 synthetic scenes with next to no dogs.

    The scenes are drawn by this module, not recorded on a road.
    """
    return drive(
        Campaign(
            name="first",
            rides=750,
            begins=datetime(2026, 3, 1, tzinfo=UTC),
            labels=(299, 260, 220, 220, 1),
            night=400,
            rain=300,
            occluded=600,
        )
    )


def dog_park_drives() -> Iterator[Frame]:
    """Yield the second batch: several hundred synthetic scenes by a dog park, mostly dogs, in every light and weather.

    The scenes are drawn by this module, not recorded on a road.
    """
    return drive(
        Campaign(
            name="park",
            rides=160,
            begins=datetime(2026, 5, 1, tzinfo=UTC),
            labels=(40, 40, 40, 40, 840),
            night=450,
            rain=350,
            occluded=600,
        )
    )


def golden_drives() -> Iterator[Frame]:
    """Yield the golden set: synthetic scenes of rides never trained on, rich in what must not go wrong.

    The scenes are drawn by this module, not recorded on a road; night, rain and occlusion are far more
    frequent here than in the first drives, so that every scenario rests on hundreds of rides.
    """
    return drive(
        Campaign(
            name="golden",
            rides=1600,
            begins=datetime(2026, 4, 1, tzinfo=UTC),
            labels=(260, 230, 220, 230, 60),
            night=500,
            rain=450,
            occluded=700,
        )
    )


class Draws:
    """A stream of integers that depends on its name only (SplitMix64: Steele, Lea, Flood 2014)."""

    def __init__(self, name: str) -> None:
        self._state = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")

    def word(self) -> int:
        """Return the next 64 bits."""
        self._state = (self._state + _GAMMA) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def between(self, low: int, high: int) -> int:
        """Return an integer in [low, high]."""
        return low + ((self.word() * (high - low + 1)) >> 64)

    def chance(self, per_mille: int) -> bool:
        """Return true `per_mille` times in a thousand."""
        return self.between(0, 999) < per_mille

    def pick(self, weights: tuple[int, ...]) -> int:
        """Return an index, each as often as its weight."""
        return bisect(list(accumulate(weights)), self.between(0, sum(weights) - 1))

    def noise(self) -> Pixels:
        """Return a frame of sensor noise: the two halves of a random byte added, so -15 to 15, mostly small."""
        words = b"".join(self.word().to_bytes(8, "big") for _ in range(SIDE * SIDE // 8))
        grain = np.frombuffer(words, np.uint8).astype(np.int16).reshape(SIDE, SIDE)
        return (grain & 15) + (grain >> 4) - 15


def drive(campaign: Campaign) -> Iterator[Frame]:
    """Yield what the cameras of a campaign saw, ride by ride; each ride has three to five scenes, 20 s apart."""
    for number in range(campaign.rides):
        yield from _ride(campaign, number)


def _ride(campaign: Campaign, number: int) -> Iterator[Frame]:
    ride_id = f"{campaign.name}-{number:06d}"
    draws = Draws(ride_id)
    night, rain = draws.chance(campaign.night), draws.chance(campaign.rain)
    start = campaign.begins + timedelta(days=number // 50, hours=20 if night else 8, minutes=draws.between(0, 479))
    for index in range(draws.between(3, 5)):
        draws = Draws(f"{ride_id}/{index}")
        label = CLASSES[draws.pick(campaign.labels)]
        grain = Draws(f"{ride_id}/{index}/{campaign.look}") if campaign.look else draws
        occluded = draws.chance(campaign.occluded)
        frame, hidden = _render(draws, grain, label, night=night, rain=rain, occluded=occluded)
        yield {
            "frame_sha256": hashlib.sha256(frame).hexdigest(),
            "ride_id": ride_id,
            "ts": f"{start + timedelta(seconds=20 * index):%Y-%m-%dT%H:%M:%SZ}",
            "frame": frame,
            "label": label,
            "lighting": "night" if night else "day",
            "weather": "rain" if rain else "clear",
            "occlusion": hidden / 100,
        }


def _render(  # noqa: PLR0913  # a scene has that many sides
    draws: Draws, noise: Draws, label: str, *, night: bool, rain: bool, occluded: bool
) -> tuple[bytes, int]:
    """Return the frame's bytes and how many per cent of the object's width a pillar hides."""
    tarmac = draws.between(90, 115)
    horizon = draws.between(7, 11)
    scene = _road(draws, horizon, tarmac)
    hidden = _place(draws, scene, _SPRITES[label](draws, tarmac), tarmac if occluded else None)
    if rain:
        _streak(draws, scene)
    grain = noise.noise()
    if night:  # a third of the light, half of the contrast, and a sensor that is quieter but not as much
        scene, grain = (scene + 128) // 6, grain // 3
    return np.clip(scene + grain, 0, 255).astype(np.uint8).tobytes(), hidden


def _road(draws: Draws, horizon: int, tarmac: int) -> Pixels:
    """Return an empty road that runs to the horizon, with houses, posts and a bush beside it."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.int16)
    vanishing = draws.between(12, 19)
    scene = np.where(rows < horizon, draws.between(150, 210) - 2 * rows, tarmac + draws.between(-15, 15))
    from_middle, below = abs(columns - vanishing), rows - horizon
    scene[(below >= 0) & (from_middle <= 3 + 3 * below // 2)] = tarmac
    dashes = (below >= 1) & (from_middle <= below // 12) & ((rows + draws.between(0, 5)) % 6 < 3)  # noqa: PLR2004
    scene[dashes] = tarmac + 60
    for _ in range(draws.between(1, 3)):
        left, width, height = draws.between(0, 27), draws.between(3, 8), draws.between(2, 7)
        scene[horizon - height : horizon, left : left + width] = draws.between(60, 200)
    for _ in range(draws.between(0, 2)):
        foot, at = draws.between(horizon + 2, horizon + 9), draws.between(0, SIDE - 1)
        scene[max(foot - 13, 0) : foot, at] = draws.between(30, 190)
    foot, at = draws.between(horizon + 2, horizon + 6), draws.between(0, 27)
    scene[foot - 3 : foot, at : at + draws.between(2, 5)] = draws.between(30, 90)
    return scene


def _place(draws: Draws, scene: Pixels, sprite: Pixels, pillar: int | None) -> int:
    """Put the object on the road, perhaps half behind a pillar; return the per cent of its width that is hidden.

    An empty scene has its pillars too, before an empty spot: a pillar says nothing about what is behind it.
    """
    if draws.chance(500):
        sprite = sprite[:, ::-1]
    height, width = len(sprite), len(sprite[0])
    top, left = draws.between(25, 29) - height, draws.between(2, SIDE - 2 - width)
    spot = scene[top : top + height, left : left + width]
    spot[sprite != _CLEAR] = sprite[sprite != _CLEAR]
    if pillar is None:
        return 0
    columns: int = width * draws.between(15, 42) // 100
    at = left if draws.chance(500) else left + width - columns
    scene[max(top - 4, 0) : top + height, at : at + columns] = pillar + draws.between(-12, 12)
    return 100 * columns // width


def _streak(draws: Draws, scene: Pixels) -> None:
    for _ in range(draws.between(10, 16)):
        top, left, length = draws.between(0, 27), draws.between(1, SIDE - 1), draws.between(3, 5)
        scene[top : top + length // 2, left] += 25
        scene[top + length // 2 : top + length, left - 1] += 25


def _tones(draws: Draws, tarmac: int) -> tuple[int, int]:
    """Return two greys that stand out from the tarmac to the same side, one more than the other."""
    step = draws.between(45, 60)
    return (tarmac + step, tarmac + 2 * step) if draws.chance(500) else (tarmac - step, tarmac - step - 15)


def _blank(height: int, width: int) -> Pixels:
    return np.full((height, width), _CLEAR, np.int16)


def _nothing(draws: Draws, _tarmac: int) -> Pixels:
    return _blank(draws.between(8, 15), draws.between(6, 16))


def _vehicle(draws: Draws, tarmac: int) -> Pixels:
    """Draw a box with a roof, a window and two wheels."""
    height, width = draws.between(9, 12), draws.between(15, 20)
    body, roof = _tones(draws, tarmac)
    car = _blank(height, width)
    car[: height // 2, width // 5 : width - width // 4] = roof
    car[2 : height // 2, width // 5 + 2 : width - width // 4 - 2] = tarmac + 50
    car[height // 2 : height - 2, :] = body
    for at in (2, width - 6):
        car[height - 3 :, at : at + 4] = 15
    return car


def _pedestrian(draws: Draws, tarmac: int) -> Pixels:
    """Draw a tall narrow figure with a head and two legs."""
    height, width = draws.between(15, 19), draws.between(6, 7)
    coat, skin = _tones(draws, tarmac)
    hips = height * 3 // 5
    person = _blank(height, width)
    person[:3, 1 : width - 1] = skin
    person[3:hips, :] = coat
    person[hips:, :2] = skin
    person[hips:, width - 2 :] = skin
    return person


def _cyclist(draws: Draws, tarmac: int) -> Pixels:
    """Draw two wheels, a bar between them and an upright rider."""
    height, width = draws.between(14, 17), draws.between(14, 17)
    rider, bike = _tones(draws, tarmac)
    cycle = _blank(height, width)
    saddle = width // 2 - 1
    for left in (0, width - 7):
        cycle[height - 7 :, left : left + 7][_RING] = bike
    cycle[height - 5, 3 : width - 3] = bike
    cycle[height - 9 : height - 4, width - 5] = bike
    cycle[4 : height - 5, saddle : saddle + 3] = rider
    cycle[6:8, saddle : width - 4] = rider
    cycle[:4, saddle : saddle + 3] = bike
    return cycle


def _dog(draws: Draws, tarmac: int) -> Pixels:
    """Draw a low wide body on four thin legs, a head at one end and a tail at the other."""
    height, width = draws.between(10, 12), draws.between(13, 17)
    coat, head = _tones(draws, tarmac)
    legs = draws.between(3, 4)
    dog = _blank(height, width)
    dog[3 : height - legs, 2 : width - 3] = coat
    for at in (2, 4, width - 6, width - 4):
        dog[height - legs :, at] = coat
    dog[1:5, width - 5 : width - 1] = head
    dog[2:4, width - 1] = head
    dog[0, width - 5] = head
    dog[0:4, 1] = coat
    return dog


_ACROSS = np.arange(-3, 4, dtype=np.int16) ** 2
_RING = abs(_ACROSS[:, None] + _ACROSS - 10) <= 3  # noqa: PLR2004

_SPRITES: dict[str, Callable[[Draws, int], Pixels]] = {
    "none": _nothing,
    "vehicle": _vehicle,
    "pedestrian": _pedestrian,
    "cyclist": _cyclist,
    "dog": _dog,
}

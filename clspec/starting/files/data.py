"""Readings of pumps, made up: put your own in the place of these, or name files and tables in the spec.

A source is a function without arguments that yields a row at a time, with the columns that the spec gives it.
"""

import numpy as np


def history():
    """What is learned from."""
    return _readings("plant", sites=60, each=10, seed=1)


def exam():
    """What every model is judged on: other sites, so that nothing is known by heart."""
    return _readings("field", sites=100, each=6, seed=2)


def _readings(place, sites, each, seed):
    """A leaking pump has less pressure and more flow; every site has gauges of its own."""
    chance = np.random.default_rng(seed)
    for site in range(sites):
        gauge = chance.normal(0.0, 0.1, size=2)
        for number in range(each):
            leaking = number % 3 == 0
            centre = np.array([2.0, 6.0]) if leaking else np.array([5.0, 3.0])
            pressure, flow = centre + gauge + chance.normal(0.0, 0.4, size=2)
            yield {
                "id": f"{place}-{site:03}-{number:02}",
                "site": f"{place}-{site:03}",
                "shift": "night" if number % 2 else "day",
                "pressure": float(pressure),
                "flow": float(flow),
                "label": "leaking" if leaking else "sound",
            }

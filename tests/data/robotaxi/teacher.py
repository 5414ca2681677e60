# ruff: noqa: ARG001  # the parameters are the point
"""Who labels what people need not; it is read, never run."""


def label(data):
    yield {"frame_sha256": "0", "label": "none", "agreement": 1.0, "min_conf": 1.0}

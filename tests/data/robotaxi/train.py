# ruff: noqa: ARG001  # the parameters are the point
"""How the model of `full.yaml` is made and answers; it is read, never run."""


def train(data, validation, model_dir, seed, **params):
    return {"loss": 0.0}


def predict(data, model_dir):
    yield {"frame_sha256": "0", "pred": "none", "conf": 1.0}

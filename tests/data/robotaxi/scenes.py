"""Where the first rows of `full.yaml` come from; it is read, never run."""


def first_drives():
    yield {"frame_sha256": "0", "ride_id": "0", "label": "none"}

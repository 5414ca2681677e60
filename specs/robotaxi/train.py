"""The perception model: a small convolutional network that names what is on the road in one frame."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file, save_file
from scenes import CLASSES, SIDE
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

_WIDTHS = (16, 32, 64)
_HIDDEN = 64
_WEIGHTS = "model.safetensors"
_ARCHITECTURE = "model.json"
_BATCH = 512  # rows held at once where nothing is learned


class Network(nn.Module):
    """Scores for each class, from frames of any brightness: each is standardised by its own mean and deviation."""

    def __init__(self, widths: tuple[int, ...], hidden: int, classes: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for inner, outer in zip((1, *widths), widths, strict=False):
            blocks += [nn.Conv2d(inner, outer, 3, padding=1), nn.BatchNorm2d(outer), nn.MaxPool2d(2), nn.ReLU()]
        side = SIDE >> len(widths)
        self.features = nn.Sequential(*blocks, nn.Flatten())
        self.head = nn.Sequential(nn.Linear(widths[-1] * side * side, hidden), nn.ReLU(), nn.Linear(hidden, classes))

    def forward(self, frames: Tensor) -> Tensor:
        """Return logits of shape (batch, classes) for uint8 frames of shape (batch, 1, 32, 32)."""
        light = frames.float()
        # A night frame has a third of the light: without this the network learns the day and guesses the night.
        deviation, mean = torch.std_mean(light, dim=(1, 2, 3), keepdim=True)
        logits: Tensor = self.head(self.features((light - mean) / (deviation + 1)))
        return logits


@dataclass(frozen=True, kw_only=True)
class _Course:
    """How long, how fast and in which order the network learns."""

    seed: int
    epochs: int
    lr: float
    batch_size: int


def train(  # noqa: PLR0913, PLR0917 (four that every `train` is given, three of this model's own)
    data: str,
    validation: str,
    model_dir: str,
    seed: int,
    epochs: int = 10,
    lr: float = 3e-3,
    batch_size: int = 128,
) -> dict[str, float | list[dict[str, float]]]:
    """Learn from the frames of `data` and leave the model in `model_dir`.

    Returns the loss of the last epoch and, where `validation` has rows, how the model does there; as `history` both
    after each epoch.

    Raises:
        ValueError: `data` has no rows, a frame is not 32 x 32 bytes, or a label is not one of the classes.
    """
    _repeatable(seed)
    frames, labels = _examples(data)
    if not len(labels):
        message = f"{data}: no rows to learn from"
        raise ValueError(message)
    network = _placed(Network(_WIDTHS, _HIDDEN, len(CLASSES)))
    course = _Course(seed=seed, epochs=epochs, lr=lr, batch_size=batch_size)
    held = _examples(validation)
    history: list[dict[str, float]] = []
    for epoch, loss in enumerate(_fit(network, frames, labels, course), 1):
        print(json.dumps({"progress": {"done": epoch, "of": epochs, "what": "epochs"}}), flush=True)  # noqa: T201
        history.append({"epoch": float(epoch), "train_loss": loss, **_judge(network, *held)})
    _save(network, Path(model_dir))
    last = {name: value for name, value in history[-1].items() if name != "epoch"}
    return {**last, "history": history}


def predict(data: str, model_dir: str) -> Iterator[dict[str, str | float]]:
    """Yield for each row of `data` the most likely class and the share of belief it got (the largest softmax).

    Raises:
        ValueError: a frame is not 32 x 32 bytes.
    """
    network, classes = _load(Path(model_dir))
    with pq.ParquetFile(data) as rows:
        for batch in rows.iter_batches(_BATCH, columns=["frame_sha256", "frame"]):
            keys = batch.column("frame_sha256").to_pylist()
            beliefs = _beliefs(network, _pixels(keys, batch.column("frame").to_pylist()))
            confidences, answers = (column.tolist() for column in beliefs.max(dim=1))
            for key, answer, confidence in zip(keys, answers, confidences, strict=True):
                yield {"frame_sha256": key, "pred": classes[answer], "conf": confidence}


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _placed(network: Network) -> Network:
    # Channels last: the same sums in two thirds of the time on a CPU.
    return network.to(_device(), memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _repeatable(seed: int) -> None:
    """Make the same seed on the same machine give the same weights."""
    # cuBLAS is repeatable only with a fixed workspace: https://docs.nvidia.com/cuda/cublas/#results-reproducibility
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(seed)


def _examples(path: str) -> tuple[Tensor, Tensor]:
    rows = pq.read_table(path, columns=["frame_sha256", "frame", "label"]).to_pydict()
    unknown = sorted({str(label) for label in rows["label"]} - set(CLASSES))
    if unknown:
        message = f"{path}: labels {unknown} are not among {list(CLASSES)}"
        raise ValueError(message)
    labels = torch.tensor([CLASSES.index(label) for label in rows["label"]], dtype=torch.long)
    return _pixels(rows["frame_sha256"], rows["frame"]), labels


def _pixels(keys: Iterable[str], frames: list[bytes | None]) -> Tensor:
    """Return the frames as uint8 of shape (rows, 1, 32, 32)."""
    for key, frame in zip(keys, frames, strict=True):
        if frame is None or len(frame) != SIDE * SIDE:
            found = "nothing" if frame is None else f"{len(frame)} bytes"
            message = f"frame {key}: {found} where {SIDE} x {SIDE} = {SIDE * SIDE} bytes, one per pixel, belong"
            raise ValueError(message)
    stacked = np.frombuffer(b"".join(frame for frame in frames if frame), np.uint8)
    return torch.from_numpy(stacked.copy()).reshape(-1, 1, SIDE, SIDE)


def _fit(network: Network, frames: Tensor, labels: Tensor, course: _Course) -> Iterator[float]:
    """Train in place with one learning-rate cycle (Smith, Topin 2019); yield the mean loss of each epoch."""
    device = _device()
    order = torch.Generator().manual_seed(course.seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=course.lr)
    steps = course.epochs * -(-len(labels) // course.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=course.lr, total_steps=steps)
    for _ in range(course.epochs):
        total = 0.0
        network.train()
        for chosen in torch.split(torch.randperm(len(labels), generator=order), course.batch_size):
            seen = _moved(frames[chosen], order).to(device)
            loss = nn.functional.cross_entropy(network(seen), labels[chosen].to(device))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        yield total / len(labels)


def _moved(frames: Tensor, order: torch.Generator) -> Tensor:
    """Return the batch shifted by up to two pixels and, half of the time, mirrored: the same road to a driver."""
    down, right, mirrored = torch.randint(5, (3,), generator=order).tolist()
    shifted = frames.roll((down - 2, right - 2), dims=(2, 3))
    return shifted.flip(3) if mirrored % 2 else shifted


def _judge(network: Network, frames: Tensor, labels: Tensor) -> dict[str, float]:
    if not len(labels):
        return {}
    answers = torch.cat([_beliefs(network, part).argmax(dim=1) for part in torch.split(frames, _BATCH)])
    return {"validation_accuracy": (answers == labels).double().mean().item()}


def _beliefs(network: Network, frames: Tensor) -> Tensor:
    network.eval()
    with torch.inference_mode():
        return nn.functional.softmax(network(frames.to(_device())), dim=1).cpu()


def _save(network: Network, model_dir: Path) -> None:
    save_file({name: weight.cpu().contiguous() for name, weight in network.state_dict().items()}, model_dir / _WEIGHTS)
    shape = {"widths": _WIDTHS, "hidden": _HIDDEN, "classes": CLASSES}
    (model_dir / _ARCHITECTURE).write_text(json.dumps(shape, indent=2) + "\n", encoding="utf-8")


def _load(model_dir: Path) -> tuple[Network, list[str]]:
    shape = json.loads((model_dir / _ARCHITECTURE).read_text(encoding="utf-8"))
    network = Network(tuple(shape["widths"]), shape["hidden"], len(shape["classes"]))
    network.load_state_dict(load_file(model_dir / _WEIGHTS))
    return _placed(network), shape["classes"]

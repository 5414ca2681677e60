"""What moved in the lock and in the code, and whether things moved together whose effects then cannot be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.diff.change import ABSENT, Change, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.diff.leaves import Leaf
    from clspec.diff.sides import Side
    from clspec.diff.view import Path, View
    from clspec.lock import Count, Lock

_MAKES_MODELS = (
    ("training", "params"),
    *((place, key) for place in ("training", "inference") for key in ("entrypoint", "command")),
    ("code", "root"),
)


def changes(base: Side, head: Side, leaves: tuple[Leaf, ...]) -> Iterator[Change]:
    """All that moved outside the text of the spec."""
    code_moved = base.code != head.code
    moved = code_moved or _images_of(base) != _images_of(head) or any(leaf.path[:2] in _MAKES_MODELS for leaf in leaves)
    if code_moved:
        yield _of_code(base, head)
        if any("python:" in check.metric for one in base.plain.spec.golden.scenarios for check in one.checks):
            yield Change(row="judge-changed", where="code", detail="a metric of the spec is a function of the code")
    if moved and any(leaf.path == ("training", "dataset") for leaf in leaves):
        yield Change(
            row="both-moved",
            where="training.dataset",
            detail="training learns from another dataset, and what makes models moved",
        )
    if base.lock is not None and head.lock is None:
        yield Change(row="unpinned", where="lock", detail=f"there is no {head.lock_name}", base=_at(base, ()))
    if base.lock is not None and head.lock is not None:
        yield from _datasets(base, head, moved=moved)
        yield from _counts(base, head, leaves)
        yield from _images(base, head)
    yield from _unpinned_images(base, head)


def _of_code(base: Side, head: Side) -> Change:
    detail = f"the files under `{head.plain.spec.code.root}` are others"
    return Change(
        row="code-changed",
        where="code.root",
        detail=detail,
        old=base.code or ABSENT,
        new=head.code or ABSENT,
        base=Place(path=base.name, span=base.plain.span(("code", "root"))),
        head=Place(path=head.name, span=head.plain.span(("code", "root"))),
    )


def _images_of(side: Side) -> set[str]:
    """What runs, without an environment and in each."""
    return {_image(side, view) for view in (side.plain, *side.environments.values())}


def _image(side: Side, view: View) -> str:
    """The digest of the image that runs, or its tag where nothing pins it."""
    image = view.spec.code.image
    pinned = side.lock.images.get(image) if side.lock else None
    return image.partition("@")[2] or pinned or image


def _at(side: Side, path: Path) -> Place | None:
    """The place in a lock, or of what is nearest to it there."""
    if side.locked is None:
        return None
    while True:
        try:
            return Place(path=side.lock_name, span=side.locked.span(path))
        except KeyError:
            path = path[:-1]


def _pin(sides: tuple[Side, Side], row: str, path: Path, detail: str, values: tuple[Any, Any]) -> Change:
    return Change(
        row=row,
        where=".".join(("lock", *path)),
        detail=detail,
        old=values[0],
        new=values[1],
        base=_at(sides[0], path),
        head=_at(sides[1], path),
    )


def _datasets(base: Side, head: Side, *, moved: bool) -> Iterator[Change]:
    old, new = _digests(base.lock), _digests(head.lock)
    golden = {side.plain.spec.golden.dataset for side in (base, head)}
    for name in sorted({*old, *new}):
        path = ("datasets", name, "digest")
        values = old.get(name, ABSENT), new.get(name, ABSENT)
        if values[0] == values[1] or (values[1] is ABSENT and name not in head.plain.spec.datasets):
            continue  # of a dataset that is gone, the spec tells
        if ABSENT in values:
            row = "pinned" if values[0] is ABSENT else "unpinned"
            detail = f"the lock {'pins' if row == 'pinned' else 'does not pin'} dataset `{name}`"
        else:
            row = _row(golden=name in golden, moved=moved)
            detail = f"dataset `{name}` is pinned at {_rows(head.lock, name)} rows, was {_rows(base.lock, name)}"
        yield _pin((base, head), row, path, detail, values)


def _digests(pins: Lock | None) -> dict[str, str]:
    return {name: pin.digest for name, pin in pins.datasets.items()} if pins else {}


def _rows(pins: Lock | None, name: str) -> int:
    return pins.datasets[name].rows if pins else 0


def _row(*, golden: bool, moved: bool) -> str:
    if golden:
        return "golden-repinned-with-code" if moved else "golden-repinned"
    return "both-moved" if moved else "training-repinned"


def _counts(base: Side, head: Side, leaves: tuple[Leaf, ...]) -> Iterator[Change]:
    """Counts follow from the golden set and the selections; where these are as they were, somebody else wrote them."""
    assert base.lock is not None
    assert head.lock is not None
    names = (base.plain.spec.golden.dataset, head.plain.spec.golden.dataset)
    explained = _digests(base.lock).get(names[0]) != _digests(head.lock).get(names[1])
    clustered = any(leaf.path == ("golden", "cluster_by") for leaf in leaves)
    for name in sorted({*base.lock.scenarios} & {*head.lock.scenarios}):
        for key in ("scenario", "guard"):
            old, new = (getattr(side.lock.scenarios[name], key) for side in (base, head) if side.lock)
            if old is None or new is None or _numbers(old) == _numbers(new):
                continue
            row = "counts-moved" if explained or clustered or old.select != new.select else "counts-edited"
            detail = f"{_told(old)} are {_told(new)} now"
            yield _pin((base, head), row, ("scenarios", name, key), detail, (_numbers(old), _numbers(new)))


def _numbers(count: Count) -> tuple[int, int | None]:
    return count.rows, count.clusters


def _told(count: Count) -> str:
    clusters = "" if count.clusters is None else f" in {count.clusters} clusters"
    return f"{count.rows} rows{clusters}"


def _images(base: Side, head: Side) -> Iterator[Change]:
    """A tag that means other bytes now."""
    assert base.lock is not None
    assert head.lock is not None
    for tag in sorted({*base.lock.images} & {*head.lock.images}):
        values = base.lock.images[tag], head.lock.images[tag]
        if values[0] != values[1]:
            yield _pin((base, head), "image-changed", ("images", tag), f"`{tag}` means another digest", values)


def _unpinned_images(base: Side, head: Side) -> Iterator[Change]:
    """An image that was named by its digest, in the spec or by the lock, and is a mere tag now."""
    views = {"": head.plain, **head.environments}
    for name, view in views.items():
        image = view.spec.code.image
        before = base.environments.get(name, base.plain).spec.code.image
        if image and not _is_pinned(head, image) and _is_pinned(base, before):
            yield Change(
                row="unpinned",
                where="code.image",
                detail=f"`{image}` is a tag, and the lock does not say what it means",
                old=before,
                new=image,
                base=Place(path=base.name, span=base.plain.span(("code", "image"))),
                head=Place(path=head.name, span=view.span(("code", "image"))),
                environment=name,
            )


def _is_pinned(side: Side, image: str) -> bool:
    return "@sha256:" in image or (side.lock is not None and image in side.lock.images)

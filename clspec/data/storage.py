"""Where bytes lie: a local folder or an S3 bucket behind one interface of whole, named objects.

Nothing is ever locked. What must be agreed on is created once and never changed, so that of two writers one wins.
What was acknowledged outlives a crash: in a folder, a file is on the disk before it has its name, and the name before a
writer hears that it was written. So no reader ever sees half of one.
"""

from __future__ import annotations

import os
import secrets
import stat
from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError

from clspec.data import durable
from clspec.diagnostic import StepFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRITER = "clspec-writer"
_TRIES = 5


class StorageError(StepFailed):
    """The storage did not do what was asked of it; the text names it and the object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object as a listing shows it: its key, how many bytes it has, and when it was last written."""

    key: str
    size: int
    written: datetime


@dataclass(frozen=True, slots=True)
class Storage(ABC):
    """Objects by key under one URI."""

    uri: str

    @abstractmethod
    def read(self, key: str) -> bytes | None:
        """The bytes of an object, or None if there is none."""

    @abstractmethod
    def write(self, key: str, content: bytes) -> None:
        """Put an object whose key names its content, so that writing it twice changes nothing."""

    @abstractmethod
    def create(self, key: str, content: bytes) -> bool:
        """Put an object that must not be there yet; False if another was first."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is as good as removed."""

    @abstractmethod
    def find(self, key: str) -> Stored | None:
        """An object without its bytes, or None if there is none."""

    @abstractmethod
    def stored(self, prefix: str) -> Iterator[Stored]:
        """What lies below a prefix (which ends before a slash), in the order of the keys."""

    @abstractmethod
    def unfinished(self, prefix: str) -> Iterator[Stored]:
        """What writers left behind below a prefix that were killed at work; `delete` takes it."""

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys below a prefix (which ends before a slash), in order."""
        return (entry.key for entry in self.stored(prefix))

    def _failed(self, verb: str, key: str, error: Exception) -> StorageError:
        told = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
        return StorageError(f"cannot {verb} {self.uri.rstrip('/')}/{key}: {told.splitlines()[0]}")


@dataclass(frozen=True, slots=True)
class Folder(Storage):
    """A local folder: each object a file, written aside, made durable, and only then given its name."""

    def read(self, key: str) -> bytes | None:
        """The bytes of a file, or None if there is none."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise self._failed("read", key, error) from error

    def write(self, key: str, content: bytes) -> None:
        """Put a file in the place of one that may be there."""
        place = self._path(key)
        with self._told("write", key), durable.aside(place, content) as made:
            made.replace(place)
            durable.synchronise(place.parent)

    def create(self, key: str, content: bytes) -> bool:
        """Give a finished file its name by a hard link, which exactly one of many can."""
        place = self._path(key)
        with self._told("write", key), durable.aside(place, content) as made:
            try:
                os.link(made, place)
                won = True
            except FileExistsError:
                won = False
            durable.synchronise(place.parent)  # who lost goes on from the winner's, which must not be lost either
            return won

    def delete(self, key: str) -> None:
        """Remove a file."""
        place = Path(self.uri, key)
        with self._told("delete", key):
            place.unlink(missing_ok=True)
            if place.parent.is_dir():
                durable.synchronise(place.parent)

    def find(self, key: str) -> Stored | None:
        """A file without its bytes."""
        with self._told("read", key):
            return self._entry(Path(self.uri, key))

    def stored(self, prefix: str) -> Iterator[Stored]:
        """The finished files below a folder."""
        return (entry for entry in self._files(prefix) if not _is_unfinished(entry.key))

    def unfinished(self, prefix: str) -> Iterator[Stored]:
        """The files below a folder that never got their name."""
        return (entry for entry in self._files(prefix) if _is_unfinished(entry.key))

    def _files(self, prefix: str) -> Iterator[Stored]:
        with self._told("list", prefix):
            walked = os.walk(Path(self.uri, prefix), onerror=_unreadable)
            paths = [Path(at, name) for at, _, names in walked for name in names]
            yield from sorted(filter(None, map(self._entry, paths)), key=lambda entry: entry.key)

    def _entry(self, path: Path) -> Stored | None:
        """A file as it is now; None if it is none, or has gone meanwhile, as those that are being written do."""
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        written = datetime.fromtimestamp(found.st_mtime, UTC)
        return Stored(key=path.relative_to(self.uri).as_posix(), size=found.st_size, written=written)

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if _is_unfinished(key) or not all(part.strip(".") for part in parts if part.startswith(".") or not part):
            message = f"`{key}` can be no object of {self.uri}"
            raise StorageError(message)
        return Path(self.uri, *parts)

    @contextmanager
    def _told(self, verb: str, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._failed(verb, key, error) from error


def _is_unfinished(key: str) -> bool:
    return any(part.startswith(durable.UNFINISHED) for part in key.split("/"))


def _unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


@dataclass(frozen=True, slots=True)
class Bucket(Storage):
    """An S3 bucket, or what lies under a prefix of one."""

    _store: Any

    def read(self, key: str) -> bytes | None:
        """The bytes of an object, or None if there is none."""
        with self._told("read", key):
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except (NotFoundError, FileNotFoundError):
                return None

    def write(self, key: str, content: bytes) -> None:
        """Put an object in the place of one that may be there."""
        with self._told("write", key):
            obstore.put(self._store, key, content)

    def create(self, key: str, content: bytes) -> bool:
        """Put an object under the condition that there is none (`If-None-Match`).

        An answer may be lost after the object was made, and a request that is sent again finds it there. So each object
        carries who made it, and a writer that hears of no success looks whether it was itself.
        """
        writer = secrets.token_hex(16)
        for _ in range(_TRIES):
            try:
                obstore.put(self._store, key, content, mode="create", attributes={_WRITER: writer})
            except (AlreadyExistsError, FileExistsError):
                found = self._writer(key)
                if found is not None:
                    return found == writer
                continue  # two at once may both be refused, and neither have written
            except (BaseError, OSError) as error:
                if self._writer(key) == writer:
                    return True
                raise self._failed("write", key, error) from error
            return True
        message = f"cannot write {self.uri.rstrip('/')}/{key}: it is neither there nor can it be made"
        raise StorageError(message)

    def _writer(self, key: str) -> str | None:
        """Who made an object, as far as it says; None if there is none."""
        with self._told("write", key):
            try:
                return str(obstore.get(self._store, key).attributes.get(_WRITER, ""))
            except (NotFoundError, FileNotFoundError):
                return None

    def delete(self, key: str) -> None:
        """Remove an object."""
        with self._told("delete", key), suppress(NotFoundError, FileNotFoundError):
            obstore.delete(self._store, key)

    def find(self, key: str) -> Stored | None:
        """An object without its bytes."""
        with self._told("read", key):
            try:
                return _entry(obstore.head(self._store, key))
            except (NotFoundError, FileNotFoundError):
                return None

    def stored(self, prefix: str) -> Iterator[Stored]:
        """The objects below a prefix."""
        with self._told("list", prefix):
            try:
                found = [_entry(entry) for batch in obstore.list(self._store, prefix) for entry in batch]
            except (NotFoundError, FileNotFoundError):
                found = []
        yield from sorted(found, key=lambda entry: entry.key)

    def unfinished(self, prefix: str) -> Iterator[Stored]:
        """Nothing: an object is there when all of it has arrived."""
        del prefix
        return iter(())

    @contextmanager
    def _told(self, verb: str, key: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as error:
            raise self._failed(verb, key, error) from error


def _entry(found: Any) -> Stored:
    return Stored(key=found["path"], size=found["size"], written=found["last_modified"])


def storage_at(uri: str) -> Storage:
    """The storage at a URI or an absolute path; a local folder is made where there is none.

    Raises:
        UsageError: no storage can lie there.
    """
    if "://" not in uri or uri.startswith("file://"):
        path = Path(uri.removeprefix("file://"))
        try:
            durable.make_folder(path)
            durable.synchronise(path)
        except OSError as error:
            message = f"no store can lie at {path}: {error.strerror or error}"
            raise UsageError(message) from error
        return Folder(str(path))
    if not uri.startswith("s3://"):
        message = f"a store is a path or an s3:// URI, not `{uri}`"
        raise UsageError(message)
    try:
        return Bucket(uri, obstore.store.from_url(uri))
    except (BaseError, ValueError) as error:
        message = f"no store can lie at {uri}: {error}"
        raise UsageError(message) from error

"""Where bytes lie: a local folder or an S3 bucket behind one interface of whole, named objects.

Nothing is ever locked. What must be agreed on is created once and never changed, so that of two writers one wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError

from clspec.diagnostic import StepFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


class StorageError(StepFailed):
    """The storage did not do what was asked of it; the text names it and the object."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Objects by key under one URI."""

    uri: str
    _store: Any

    def read(self, key: str) -> bytes | None:
        """The bytes of an object, or None if there is none."""
        try:
            return bytes(obstore.get(self._store, key).bytes())
        except (NotFoundError, FileNotFoundError):
            return None
        except (BaseError, OSError) as error:
            raise self._failed("read", key, error) from error

    def write(self, key: str, content: bytes) -> None:
        """Put an object whose key names its content, so that writing it twice changes nothing."""
        try:
            obstore.put(self._store, key, content)
        except (BaseError, OSError) as error:
            raise self._failed("write", key, error) from error

    def create(self, key: str, content: bytes) -> bool:
        """Put an object that must not be there yet; False if another was first."""
        try:
            obstore.put(self._store, key, content, mode="create")
        except (AlreadyExistsError, FileExistsError):
            return False
        except (BaseError, OSError) as error:
            raise self._failed("write", key, error) from error
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys below a prefix (which ends before a slash), in order."""
        try:
            found = [entry["path"] for batch in obstore.list(self._store, prefix) for entry in batch]
        except (NotFoundError, FileNotFoundError):
            found = []
        except (BaseError, OSError) as error:
            raise self._failed("list", prefix, error) from error
        yield from sorted(found)

    def _failed(self, verb: str, key: str, error: Exception) -> StorageError:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return StorageError(f"cannot {verb} {self.uri.rstrip('/')}/{key}: {reason}")


def storage_at(uri: str) -> Storage:
    """The storage at a URI or an absolute path; a local folder is made where there is none.

    Raises:
        UsageError: no storage can lie there.
    """
    if "://" not in uri or uri.startswith("file://"):
        path = Path(uri.removeprefix("file://"))
        try:
            path.mkdir(parents=True, exist_ok=True)
            return Storage(uri=str(path), _store=obstore.store.LocalStore(prefix=str(path), mkdir=True))
        except (BaseError, OSError) as error:
            message = f"no store can lie at {path}: {getattr(error, 'strerror', None) or error}"
            raise UsageError(message) from error
    if not uri.startswith("s3://"):
        message = f"a store is a path or an s3:// URI, not `{uri}`"
        raise UsageError(message)
    try:
        return Storage(uri=uri, _store=obstore.store.from_url(uri))
    except (BaseError, ValueError) as error:
        message = f"no store can lie at {uri}: {error}"
        raise UsageError(message) from error

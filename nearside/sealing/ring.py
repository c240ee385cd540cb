"""The keys of one node, and how they are exchanged while everything stays readable."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nearside.errors import StorageError
from nearside.sealing.files import locked, shred, sync_folder, write_secret
from nearside.sealing.node import CREDENTIAL, NEXT, credential, next_file, read_node_keys
from nearside.sealing.wrapping import KEY_BYTES, unwrap, wrap

TENANT_KEY = "tenant.key"
PENDING_KEY = TENANT_KEY + NEXT
Rewrap = Callable[[str, bytes], bytes]
"""Of a tenant's id and its wrapped key, that key under the new node key."""


class KeyRing:
    """The keys of one node; `node` is the edge's or core's name. Raises StorageError where the node's key is gone.

    `use_credential`: whether a key that systemd handed over wins over the file.
    Everything is read anew each time, under a lock on the node key's folder: another program may rotate the keys.
    """

    def __init__(self, node_key_file: Path, node: str, *, use_credential: bool = True) -> None:
        self._file, self._node, self._use_credential = node_key_file, node, use_credential
        self._node_keys()

    @property
    def node_key(self) -> bytes:
        """The key in force, 32 bytes."""
        return self._node_keys()[0]

    def tenant_key(self, folder: Path, tenant_id: str) -> bytes:
        """The 32-byte data key of the tenant whose files lie in `folder`; made on first use.

        Raises StorageError where it is lost: a file beside it is under it and would never open again.
        """
        with self._held(shared=True):
            return self._current(folder, tenant_id)

    def tenant_keys(self, folder: Path, tenant_id: str) -> tuple[bytes, ...]:
        """What the tenant's file may be under: the current key, then a pending one. Whoever opened it says `settle`."""
        with self._held(shared=True):
            current, pending = self._current(folder, tenant_id), folder / PENDING_KEY
            if not pending.exists():
                return (current,)
            return (current, self._opened(pending, tenant_id))

    def wrapped(self, key: bytes, tenant_id: str) -> bytes:
        """What a `tenant.key` holds, for a copy of the file elsewhere."""
        return wrap(key, self.node_key, self._bound(tenant_id))

    def unwrapped(self, wrapped: bytes, tenant_id: str, where: str) -> bytes:
        """The key in it; `where` it is kept, for the error. Raises StorageError."""
        key = unwrap(wrapped, self._node_keys(), self._bound(tenant_id))
        if key is None:
            hint = f"another node key wrapped it, or another name than {self._node}: restore that key or name"
            raise StorageError("the tenant's key does not open", where=where, hint=hint)
        return key

    def begin_rekey(self, folder: Path, tenant_id: str) -> bytes:
        """The key to re-key the file to, kept durably beside the current one.

        Where an earlier re-keying did not end, it is that one's: the file may be under it already.
        """
        with self._held():
            self._current(folder, tenant_id)
            pending = folder / PENDING_KEY
            if pending.exists():
                return self._opened(pending, tenant_id)
            key = os.urandom(KEY_BYTES)
            write_secret(pending, self.wrapped(key, tenant_id))
            return key

    def finish_rekey(self, folder: Path) -> None:
        """The file is under the new key now: it becomes the current one. Nothing where none is pending."""
        with self._held():
            self._promote(folder)

    def settle(self, folder: Path, tenant_id: str, opened: bytes) -> None:
        """After opening the file with `opened`: if that was the pending key, it becomes the current one.

        A pending key that nothing is under stays for the next re-keying: another program may be in the middle of it.
        """
        with self._held():
            pending = folder / PENDING_KEY
            if pending.exists() and opened == self._opened(pending, tenant_id):
                self._promote(folder)

    def destroy(self, folder: Path) -> None:
        """Make all that lies in `folder` unreadable for ever. Safe to repeat; the files themselves stay."""
        with self._held():
            for name in (PENDING_KEY, TENANT_KEY):
                shred(folder / name)

    def rotate_node_key(self, data: Path, elsewhere: Callable[[Rewrap], int] = lambda rewrap: 0) -> int:
        """Put every tenant's key below `data` under a new node key; how many. Goes on where an earlier one stopped.

        `elsewhere` does so, durably, to those that are kept otherwise, and says how many there are.
        Raises StorageError, with nothing changed, where one of them does not open or the node's key is a credential.
        """
        if (handed := credential()) is not None:
            hint = f"write it to {self._file}, take {CREDENTIAL} out of the unit, rotate, and hand the new one over"
            raise StorageError("the node's key is a systemd credential", where=str(handed), hint=hint)
        with self._held():
            files = sorted(data.glob(f"tenants/*/{TENANT_KEY}")) + sorted(data.glob(f"tenants/*/{PENDING_KEY}"))
            keys = {file: self._opened(file, file.parent.name) for file in files}
            following = next_file(self._file)
            write_secret(following, os.urandom(KEY_BYTES).hex().encode(), keep=True)
            new = self._node_keys()[-1]
            others = elsewhere(
                lambda tenant_id, kept: wrap(self.unwrapped(kept, tenant_id, tenant_id), new, self._bound(tenant_id))
            )
            for file, key in keys.items():
                write_secret(file, wrap(key, new, self._bound(file.parent.name)))
            os.replace(following, self._file)
            sync_folder(self._file.parent)
            return len(keys) + others

    def _node_keys(self) -> tuple[bytes, ...]:
        return read_node_keys(self._file, credential() if self._use_credential else None)

    @contextmanager
    def _held(self, *, shared: bool = False) -> Iterator[None]:
        try:
            with locked(self._file.parent, shared=shared):
                yield
        except OSError as error:
            where, hint = str(error.filename or self._file), "let this user write there, or look at disk space"
            raise StorageError(f"a key cannot be read or written ({error.strerror})", where=where, hint=hint) from None

    def _current(self, folder: Path, tenant_id: str) -> bytes:
        file = folder / TENANT_KEY
        is_needed = any(folder.glob("*.db"))  # looked at first: whoever makes a key does so before the file
        if not file.exists():
            if is_needed or (folder / PENDING_KEY).exists():
                hint = "restore it from the backup; without it the data beside it cannot be read"
                raise StorageError("the tenant's key is gone", where=str(file), hint=hint)
            write_secret(file, self.wrapped(os.urandom(KEY_BYTES), tenant_id), keep=True)
        return self._opened(file, tenant_id)

    def _opened(self, file: Path, tenant_id: str) -> bytes:
        return self.unwrapped(file.read_bytes(), tenant_id, str(file))

    def _promote(self, folder: Path) -> None:
        if (folder / PENDING_KEY).exists():
            os.replace(folder / PENDING_KEY, folder / TENANT_KEY)
            sync_folder(folder)

    def _bound(self, tenant_id: str) -> bytes:
        return f"nearside:{self._node}:{tenant_id}".encode()

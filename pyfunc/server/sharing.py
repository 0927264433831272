"""What the processes of one function share for their metrics; standard library only."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

__all__ = ["Shared", "shared_directory"]

_MEMORY = "/dev/shm"  # noqa: S108 - the files are mapped into memory, and gone with the machine


class Shared(NamedTuple):
    """A directory, and the sockets of one port, which every process may answer on.

    Args:
        directory: Where each process keeps its numbers.
        sockets: Where all of them listen.
    """

    directory: str
    sockets: Sequence[socket.socket]

    def take(self, name: str, limit: int) -> frozenset[str]:
        """Add a name to those that all processes know, while there are fewer than `limit`.

        Returns:
            All that are known now; `name` is among them if there was room.
        """
        import fcntl  # not there on Windows, which has no workers either

        with (Path(self.directory) / "event-types").open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file is closed
            file.seek(0)
            known = frozenset(file.read().split("\n")) - {""}
            if name not in known and len(known) < limit:
                file.write(f"{name}\n")
                known |= {name}
        return known

    def forget(self, process: int) -> None:
        """A process has ended: what it told of the moment counts no longer."""
        for file in Path(self.directory).glob(f"gauge_live*_{process}.db"):
            file.unlink(missing_ok=True)


@contextmanager
def shared_directory() -> Iterator[str]:
    """A directory until the process that made it leaves the block; its children may, before."""
    owner = os.getpid()
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    directory = tempfile.mkdtemp(prefix="pyfunc-metrics-", dir=memory)
    try:
        yield directory
    finally:
        if os.getpid() == owner:
            shutil.rmtree(directory, ignore_errors=True)

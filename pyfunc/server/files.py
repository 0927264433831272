"""Open files: their limit, and a line in the log where it is reached.

libuv closes connections that it cannot accept for want of files, and reports that to nobody.
"""

import asyncio
import errno
import logging
import os
from contextlib import suppress

__all__ = ["FilesWatch", "raise_limit"]

logger = logging.getLogger("pyfunc")

# Files, and so connections, that a process may have open at most.
_FILES = 65536

# A look at the files follows so many seconds after a new connection; the next one, while there are
# none left, after some more.
_SOON = 0.05
_AGAIN = 1.0
# Seconds between two lines.
_WARN_EVERY = 60.0


def raise_limit() -> None:
    """Take what the system allows: many set a limit of 1024 for programs that use `select`."""
    try:
        import resource  # not there on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < limit:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


class FilesWatch:
    """Looks whether files are left, a moment after connections were made."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._is_due = False
        self._next_warning = 0.0

    def connected(self) -> None:
        """Look soon; a connection was made."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_later(_SOON, self._look)

    def _look(self) -> None:
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._warn(error)
                self._loop.call_later(_AGAIN, self._look)
                return
        self._is_due = False

    def _warn(self, error: OSError) -> None:
        now = self._loop.time()
        if now >= self._next_warning:
            self._next_warning = now + _WARN_EVERY
            logger.error("out of files (%s): new connections are closed", error.strerror)

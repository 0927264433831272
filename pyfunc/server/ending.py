"""The end of the process, which nothing of the function's may hold up."""

import atexit
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

__all__ = ["UnwaitedExecutor", "let_exit"]

logger = logging.getLogger("pyfunc")

# Threads and tasks that never end hold the exit for so long at most, in seconds.
_LAST_WAIT = 1.0


def let_exit(code: int) -> None:
    """Keep what never ends from holding the exit.

    Python waits without a limit for tasks that do not let themselves be cancelled and for every
    thread that is no daemon; pools that the function made have such threads. Where one of them is
    stuck, the process ends all the same: with what was registered by `atexit`, its output written.
    """
    timer = threading.Timer(_LAST_WAIT, _end, [code])
    timer.daemon = True
    with suppress(RuntimeError, MemoryError):  # no thread can be started: then wait without a limit
        timer.start()
        atexit.register(timer.cancel)  # exit functions run when every thread has ended


def _end(code: int) -> None:
    logger.warning("a thread or a task does not end; the process ends without it")
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(code)


class UnwaitedExecutor(ThreadPoolExecutor):
    """The executor of `asyncio.to_thread`: its stuck threads do not hold the end of the loop."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Forget what has not begun; wait for nothing."""
        super().shutdown(wait=False, cancel_futures=True)

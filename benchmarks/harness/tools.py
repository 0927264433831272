"""Programs of the distribution, installed where they are missing and that can be done."""

import os
import shutil
import subprocess

from harness.errors import BenchmarkError

APT = ("apt-get", "-o", "DPkg::Lock::Timeout=60")


def require(name: str) -> None:
    """Have a program at hand; root on a Debian or Ubuntu gets it installed.

    Raises:
        BenchmarkError: it is missing, and cannot be installed here; the message says how.
    """
    if shutil.which(name) is not None:
        return
    if os.geteuid() == 0 and shutil.which("apt-get") is not None:
        print(f"installing {name} (apt-get install {name}) ...", flush=True)
        _run(*APT, "update", "--quiet")
        _run(*APT, "install", "--yes", "--no-install-recommends", name)
        return
    raise BenchmarkError(
        f"{name} is not installed: it comes with the distribution, "
        f"for example `apt-get install {name}` (Debian, Ubuntu) or `dnf install {name}` (Fedora)"
    )


def _run(*command: str) -> None:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")

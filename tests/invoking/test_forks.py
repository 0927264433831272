"""Children that a function forks."""

import os
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.files import write
from tests.support.serving import Served

SOURCE = """
    import os, signal, sys, time

    {kind} main(path):
        child = os.fork()
        if child == 0:
            {child}
        {parent}
        _, status = os.waitpid(child, 0)
        return f"{{os.getpid()}} {{os.waitstatus_to_exitcode(status)}}"
"""
ENDS = {
    "returns": ("return 'child'", "pass", 0),
    "raises": ("raise ValueError('child')", "pass", 1),
    "exits": ("sys.exit(3)", "pass", 3),
    "is terminated": ("time.sleep(60)", "time.sleep(0.2); os.kill(child, signal.SIGTERM)", -15),
    "is interrupted": ("time.sleep(60)", "time.sleep(0.2); os.kill(child, signal.SIGKILL)", -9),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("end", ENDS)
def test_a_child_ends_and_the_server_goes_on(tmp_path: Path, end: str, kind: str) -> None:
    child, parent, code = ENDS[end]
    write(tmp_path, {"func.py": SOURCE.format(kind=kind, child=child, parent=parent)})
    with Served(tmp_path) as served:
        for _ in range(2):
            with urlopen(served.url, timeout=20) as response:  # noqa: S310 - loopback
                assert response.read().decode() == f"{served.process.pid} {code}"
        assert served.terminate() == 0

"""`start`: its choice between one process and several workers."""

import os
from pathlib import Path

from tests.support.serving import pyfunc


def test_several_workers_without_the_extra_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text("def main(): ...")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/gunicorn.py").write_text(
        "raise ModuleNotFoundError('not installed', name='gunicorn')"
    )
    path = os.pathsep.join([str(tmp_path / "elsewhere"), os.environ.get("PYTHONPATH", "")])
    done = pyfunc("start", "--workers", "2", cwd=tmp_path, env={"PYTHONPATH": path})

    assert done.returncode == 2
    assert done.stderr == (
        "pyfunc: several workers need gunicorn: install pyfunc-invoker with the extra `workers`,"
        " or set --workers 1\n"
    )


def test_missing_module_ends_with_3_before_anything_is_served(tmp_path: Path) -> None:
    done = pyfunc("start", "--port", "0", cwd=tmp_path)

    assert done.returncode == 3
    assert "there is no module func" in done.stderr
    assert "listening" not in done.stderr

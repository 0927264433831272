"""Open files: a line in the log where none are left."""

import asyncio
import errno
import logging
import os

import pytest

from pyfunc.server import files


async def test_a_process_that_is_out_of_files_says_so_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = asyncio.Event()

    def full(*_: object) -> int:
        if len(calls) == 3:
            looks.set()
        calls.append(1)
        raise OSError(errno.EMFILE, "Too many open files")

    calls: list[int] = []
    monkeypatch.setattr(files, "_SOON", 0.001)
    monkeypatch.setattr(files, "_AGAIN", 0.001)
    monkeypatch.setattr(os, "open", full)
    watch = files.FilesWatch()
    watch.connected()
    await asyncio.wait_for(looks.wait(), 20)
    monkeypatch.undo()

    lines = [record for record in caplog.records if "out of files" in record.getMessage()]
    assert [line.levelno for line in lines] == [logging.ERROR]


async def test_a_process_with_files_left_logs_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(files, "_SOON", 0)
    files.FilesWatch().connected()
    await asyncio.sleep(0.01)
    assert caplog.records == []


def test_the_limit_of_files_is_never_lowered() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    files.raise_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= min(before, 65536)

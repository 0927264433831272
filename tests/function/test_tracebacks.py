import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pyfunc.cloudevents.json_text import parse_json
from pyfunc.function.tracebacks import format_user_traceback, user_frames
from tests.support.apps import Load


def raised(call: Callable[[], Any]) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - whatever the call raises
        call()
    return caught.value


def files(error: BaseException) -> list[str]:
    return [Path(frame.filename).name for frame in user_frames(error.__traceback__)]


def test_frames_begin_with_the_first_one_that_is_not_of_pyfunc() -> None:
    assert files(raised(lambda: json.loads("{")))[0] == "test_tracebacks.py"


def test_thread_pool_is_no_frame_of_the_user(load_source: Load) -> None:
    function = load_source("def main():\n    1 / 0\n").function
    with ThreadPoolExecutor(1) as pool:
        error = pool.submit(function).exception()

    assert error is not None
    assert files(error) == ["func.py"]


def test_library_that_the_user_called_stays(load_source: Load) -> None:
    function = load_source("import json\n\ndef main():\n    json.loads('{')\n").function

    assert files(raised(function))[-3:] == ["__init__.py", "decoder.py", "decoder.py"]


def test_error_of_our_own_has_no_frames_of_the_user() -> None:
    error = raised(lambda: parse_json(b"{"))
    assert error.__traceback__ is not None
    ours = error.__traceback__.tb_next
    while ours is not None and Path(ours.tb_frame.f_code.co_filename).name != "payload.py":
        ours = ours.tb_next

    assert user_frames(ours) == []


def test_text_is_what_python_prints_without_the_frames_of_the_server(load_source: Load) -> None:
    loaded = load_source("def main():\n    raise ValueError('no')\n")
    with ThreadPoolExecutor(1) as pool:
        error = pool.submit(loaded.function).exception()

    assert error is not None
    file = sys.modules["func"].__file__
    assert format_user_traceback(error) == (
        "Traceback (most recent call last):\n"
        f'  File "{file}", line 2, in main\n'
        "    raise ValueError('no')\n"
        "ValueError: no"
    )


def test_cause_is_told_too(load_source: Load) -> None:
    source = """
        def main():
            try:
                {}["key"]
            except KeyError as error:
                raise RuntimeError("no key") from error
    """
    text = format_user_traceback(raised(load_source(source).function))

    assert "KeyError: 'key'" in text
    assert text.endswith("RuntimeError: no key")

import importlib
import importlib.util
import logging
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pyfunc.cloudevents import sdk_aliases
from pyfunc.cloudevents.sdk_aliases import OLD_NAMES, AliasFinder

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "tests" / "functions" / "sdk"
INSTALL = "from pyfunc.cloudevents import sdk_aliases; sdk_aliases.install()"

OLD_MODULES = [
    "cloudevents.abstract",
    "cloudevents.abstract.event",
    "cloudevents.conversion",
    "cloudevents.exceptions",
    "cloudevents.http",
    "cloudevents.http.conversion",
    "cloudevents.http.event",
    "cloudevents.http.event_type",
    "cloudevents.http.http_methods",
    "cloudevents.http.json_methods",
    "cloudevents.http.util",
    "cloudevents.kafka",
    "cloudevents.kafka.conversion",
    "cloudevents.kafka.exceptions",
    "cloudevents.pydantic",
    "cloudevents.pydantic.v1",
    "cloudevents.pydantic.v1.event",
    "cloudevents.pydantic.v2",
    "cloudevents.pydantic.v2.conversion",
    "cloudevents.sdk",
    "cloudevents.sdk.converters",
    "cloudevents.sdk.converters.binary",
    "cloudevents.sdk.converters.structured",
    "cloudevents.sdk.event",
    "cloudevents.sdk.event.attribute",
    "cloudevents.sdk.event.base",
    "cloudevents.sdk.event.v03",
    "cloudevents.sdk.event.v1",
    "cloudevents.sdk.exceptions",
    "cloudevents.sdk.marshaller",
    "cloudevents.sdk.types",
]


def run(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, "-c", code], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", OLD_MODULES)
def test_old_name_is_the_module_of_its_successor(name: str, aliases: None) -> None:
    successor = importlib.import_module(name.replace("cloudevents.", "cloudevents.v1.", 1))
    spec = successor.__spec__
    loader = successor.__loader__
    assert importlib.import_module(name) is successor
    assert successor.__name__ == name.replace("cloudevents.", "cloudevents.v1.", 1)
    assert successor.__spec__ is spec
    assert successor.__loader__ is loader


def test_every_module_of_v1_is_in_the_list_above() -> None:
    root = Path(importlib.import_module("cloudevents.v1").__path__[0])
    found = {
        ".".join(("cloudevents", *path.relative_to(root).with_suffix("").parts))
        for path in root.rglob("*.py")
    }
    found = {name.removesuffix(".__init__") for name in found} - {"cloudevents"}
    inner = {
        "cloudevents.pydantic.fields_docs",
        "cloudevents.pydantic.v1.conversion",
        "cloudevents.pydantic.v2.event",
        "cloudevents.sdk.converters.base",
        "cloudevents.sdk.converters.util",
        "cloudevents.sdk.event.opt",
    }
    assert found == set(OLD_MODULES) | inner


@pytest.mark.parametrize(
    "statement",
    [
        "import cloudevents.http; got = cloudevents.http.CloudEvent",
        "import cloudevents.http.event as event; got = event.CloudEvent",
        "from cloudevents import http; got = http.CloudEvent",
        "from cloudevents.http import event; got = event.CloudEvent",
        "from cloudevents.http.event import CloudEvent as got",
        "from cloudevents.http import *; got = CloudEvent",
    ],
)
def test_any_form_of_import_gives_the_same_class(statement: str) -> None:
    check = "import cloudevents.v1.http; assert got is cloudevents.v1.http.CloudEvent"
    done = run(f"{INSTALL}; {statement}; {check}")
    assert done.returncode == 0, done.stderr


def test_nothing_of_the_sdk_is_imported_before_the_user_does() -> None:
    done = run(
        "import sys; from pyfunc.cloudevents import sdk, sdk_aliases;"
        "sdk_aliases.install(); sdk.builder(dict);"
        "sdk.unpack({}); sdk.http_message(({}, b''));"
        "print([name for name in sys.modules if name.startswith('cloudevents')])"
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_one_warning_is_logged_for_all_old_names(
    aliases: None, caplog: pytest.LogCaptureFixture
) -> None:
    for name in OLD_MODULES:
        importlib.import_module(name)
    assert caplog.record_tuples == [
        (
            "pyfunc",
            logging.WARNING,
            "cloudevents.abstract is a name of CloudEvents SDK 1.x: please import"
            " cloudevents.v1.abstract instead (logged once; the same goes for every old name)",
        )
    ]


def test_a_search_for_an_old_name_logs_nothing(
    aliases: None, caplog: pytest.LogCaptureFixture
) -> None:
    spec = importlib.util.find_spec("cloudevents.http")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    assert caplog.records == []


def test_warnings_as_errors_do_not_stop_an_import() -> None:
    names = ", ".join(OLD_MODULES)
    done = run(
        f"{INSTALL}; import {names}",
        "-W",
        "error",
    )
    assert done.returncode == 0, done.stderr


def test_call_of_a_deprecated_name_prints_no_warning() -> None:
    """The SDK warns of its own `to_binary`; Python shows that to nobody who did not ask."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pyfunc.cloudevents import sdk_aliases;"
        "sdk_aliases.install(); import http_conversion as f;"
        "h = {'ce-id': '1', 'ce-source': '/', 'ce-type': 't', 'ce-specversion': '1.0'};"
        "[f.main(h, b'{\"numbers\": [1]}') for _ in range(3)]"
    )

    def lines(*flags: str) -> list[str]:
        command = [sys.executable, *flags, "-c", code, str(FUNCTIONS)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [line for line in done.stderr.splitlines() if "eprecat" in line]

    assert lines() == []
    assert len(lines("-W", "default::DeprecationWarning")) == 1


def test_installing_twice_is_installing_once(aliases: None) -> None:
    before = list(sys.meta_path)
    sdk_aliases.install()
    assert sys.meta_path == before


@pytest.mark.parametrize(
    "name", ["cloudevents.nosuch", "cloudevents.http.nosuch", "cloudevents.sdk.event.v2"]
)
def test_unknown_name_is_reported_as_it_was_written(name: str, aliases: None) -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module(name)
    assert caught.value.name == name


def test_a_module_that_the_sdk_offers_is_never_shadowed(tmp_path: Path) -> None:
    """As in SDK 1.x, or a version that has `cloudevents.http` again."""
    package = tmp_path / "cloudevents"
    for path in ("", "http", "v1", "v1/http", "v1/sdk"):
        (package / path).mkdir()
        (package / path / "__init__.py").write_text(f"mine = {path!r}")
        (package / path / "event.py").write_text(f"mine = {path!r}")
    done = run(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        "from pyfunc.cloudevents import sdk_aliases;"
        "sdk_aliases.install(); import cloudevents.http.event, cloudevents.sdk;"
        "print(cloudevents.http.mine, cloudevents.http.event.mine, cloudevents.sdk.mine)"
    )
    assert done.stdout == "http http v1/sdk\n", done.stderr


def test_an_sdk_without_v1_has_no_old_names(tmp_path: Path) -> None:
    (tmp_path / "cloudevents").mkdir()
    (tmp_path / "cloudevents" / "__init__.py").touch()
    done = run(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        "from pyfunc.cloudevents import sdk_aliases;"
        "sdk_aliases.install(); import cloudevents.http"
    )
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'cloudevents.http'\n")


def test_threads_that_import_at_once_get_the_finished_module() -> None:
    code = (
        f"{INSTALL}; import threading; got = [];"
        "start = threading.Barrier(8)\n"
        "def main():\n"
        "    start.wait()\n"
        "    from cloudevents.http.event import CloudEvent\n"
        "    from cloudevents.conversion import to_binary\n"
        "    got.append((CloudEvent, to_binary))\n"
        "threads = [threading.Thread(target=main) for _ in range(8)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "print(len(got), len(set(got)))"
    )
    done = run(code)
    assert done.stdout == "8 1\n", done.stderr
    assert done.stderr.count("SDK 1.x") == 1


def test_warning_is_logged_once_by_many_threads(caplog: pytest.LogCaptureFixture) -> None:
    finder = AliasFinder()
    threads = [
        threading.Thread(target=finder._warn, args=("cloudevents.a", "cloudevents.v1.a"))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(caplog.records) == 1


def test_every_old_name_is_listed() -> None:
    text = (ROOT / "docs" / "cloudevents-sdk.md").read_text()
    rows = re.findall(r"\| `cloudevents\.(\w+)` \| `cloudevents\.v1\.(\w+)` \|", text)
    assert {old for old, _ in rows} == OLD_NAMES
    assert all(old == new for old, new in rows)

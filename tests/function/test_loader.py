from pathlib import Path
from types import SimpleNamespace

import pytest

from pyfunc.errors import LoadError
from pyfunc.function.loader import load, loaded_from
from tests.support.apps import Load
from tests.support.files import write

pytestmark = pytest.mark.usefixtures("_modules")


def refused(root: Path, module_name: str = "func", function_name: str | None = None) -> str:
    with pytest.raises(LoadError) as caught:
        load(str(root), module_name, function_name)
    return str(caught.value)


# --- where ----------------------------------------------------------------------------------------


def test_function_of_a_module_is_found(tmp_path: Path) -> None:
    write(tmp_path, {"func.py": "\n\ndef main():\n    return 'hello'\n"})

    loaded = load(str(tmp_path), "func", None)

    assert loaded.function() == "hello"
    assert (loaded.module_name, loaded.function_name) == ("func", "main")
    assert (str(loaded), loaded.place) == ("func.main", "func.py:3")


def test_relative_search_path_is_taken_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"app/func.py": "def main():\n    return 'app'\n"})
    monkeypatch.chdir(tmp_path)

    assert load("app", "func", None).function() == "app"


def test_module_may_be_a_package(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "shop/__init__.py": "from .prices import price\n\ndef main():\n    return price\n",
            "shop/prices.py": "price = 42\n",
        },
    )

    loaded = load(str(tmp_path), "shop", None)

    assert loaded.function() == 42
    assert loaded.place == "shop/__init__.py:3"


def test_module_name_may_have_dots(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "app/__init__.py": "",
            "app/handlers.py": "from .names import name\n\ndef main():\n    return name\n",
            "app/names.py": "name = 'dotted'\n",
        },
    )

    assert load(str(tmp_path), "app.handlers", None).function() == "dotted"


def test_package_needs_no_init_file(tmp_path: Path) -> None:
    write(tmp_path, {"plain/deep/func.py": "def main():\n    return 'namespace'\n"})

    assert load(str(tmp_path), "plain.deep.func", None).function() == "namespace"


def test_neighbours_are_found_at_import_and_at_request_time(tmp_path: Path) -> None:
    source = """
        import early

        def main():
            import late
            return early.word + late.word
    """
    write(tmp_path, {"func.py": source, "early.py": "word = 'a'", "late.py": "word = 'b'"})

    assert load(str(tmp_path), "func", None).function() == "ab"


def test_two_apps_of_one_search_path_share_their_modules(tmp_path: Path) -> None:
    write(tmp_path, {"func.py": "def a():\n    pass\n\ndef b():\n    pass\n"})

    one = load(str(tmp_path), "func", "a")
    two = load(str(tmp_path), "func", "b")

    assert one.function.__globals__ is two.function.__globals__


def test_reloading_after_a_failure_sees_the_mended_file(tmp_path: Path) -> None:
    write(tmp_path, {"func.py": "import helper\n", "helper.py": "1 / 0\n"})
    assert "ZeroDivisionError" in refused(tmp_path)
    write(tmp_path, {"func.py": "import helper\n\ndef main():\n    return 1\n", "helper.py": ""})

    assert load(str(tmp_path), "func", None).function() == 1


# --- which function -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "name"),
    [
        pytest.param("def main(): ...\n\ndef other(): ...\n", "main", id="main"),
        pytest.param("def handle(): ...\n", "handle", id="the only public one"),
        pytest.param("async def handle(): ...\n", "handle", id="async"),
        pytest.param("def handle(): ...\n\ndef _private(): ...\n", "handle", id="no private one"),
        pytest.param(
            "from json import dumps\n\ndef handle(): ...\n", "handle", id="none of others"
        ),
        pytest.param(
            "def handle(): ...\n\ndef on_startup(): ...\n\ndef is_ready(): ...\n",
            "handle",
            id="no hook",
        ),
        pytest.param(
            "from functools import lru_cache\n\n@lru_cache\ndef handle(): ...\n",
            "handle",
            id="decorated",
        ),
        pytest.param(
            "class Handler:\n    def __call__(self): ...\n\nhandle = Handler()\n",
            "handle",
            id="callable object",
        ),
        pytest.param(
            "from typing import NewType\nOrderId = NewType('OrderId', int)\n\ndef handle(): ...\n",
            "handle",
            id="no type",
        ),
        pytest.param(
            "from functools import partial\nmain = partial(print, 1)\n", "main", id="partial"
        ),
        pytest.param("main = lambda: 1\n", "main", id="lambda"),
    ],
)
def test_without_a_name_it_is_main_or_the_only_public_function(
    source: str, name: str, load_source: Load
) -> None:
    assert load_source(source).function_name == name


def test_function_name_may_have_dots(load_source: Load) -> None:
    source = "class Shop:\n    def order(self):\n        return 1\n\nshop = Shop()\n"

    assert load_source(source, function_name="shop.order").function() == 1


def test_hooks_are_found_by_name_and_only_callable_ones(load_source: Load) -> None:
    loaded = load_source(
        "is_alive = True\ndef main(): ...\ndef on_startup(): ...\nasync def on_shutdown(): ...\n"
    )

    assert list(loaded.hooks) == ["on_startup", "on_shutdown"]


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        pytest.param(
            "def one(): ...\n\ndef two(): ...\n",
            None,
            "func has no function main, and more than one other: one, two."
            " Choose one with -f or FUNCTION_NAME.",
            id="several",
        ),
        pytest.param(
            "x = 1\n",
            None,
            "func has no function main, nor any other: write `def main(...)` in it",
            id="none",
        ),
        pytest.param(
            "def handle(): ...\n\ndef other(): ...\n",
            "handel",
            "func has no function handel. Did you mean handle? Its functions: handle, other.",
            id="near name",
        ),
        pytest.param(
            "def handle(): ...\n",
            "xyz",
            "func has no function xyz. Its functions: handle.",
            id="no near name",
        ),
        pytest.param(
            "class main: ...\n",
            None,
            "func.main is a class: expected a function or an instance with __call__;"
            " write main = main(), or choose another name with -f",
            id="class",
        ),
        pytest.param(
            "main = 'hello'\n",
            None,
            "func.main is of type str: expected a function",
            id="no callable",
        ),
        pytest.param(
            "class Later:\n    def __await__(self): ...\nmain = Later()\n",
            None,
            "func.main is of type Later: expected a function, not what it returns",
            id="called already",
        ),
        pytest.param(
            "main = None\n",
            None,
            "func.main is of type NoneType: expected a function",
            id="nothing",
        ),
    ],
)
def test_function_that_is_not_there_is_told_with_what_is(
    source: str, name: str | None, message: str, load_source: Load
) -> None:
    with pytest.raises(LoadError) as caught:
        load_source(source, function_name=name)

    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["is_ready", "on_startup"])
def test_hook_can_be_no_function(name: str, load_source: Load) -> None:
    with pytest.raises(LoadError, match=f"{name} is a hook"):
        load_source(f"def {name}(): ...\n", function_name=name)


# --- what goes wrong ------------------------------------------------------------------------------


def test_missing_directory_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere") == (
        f"the search path {tmp_path}/nowhere is no directory: choose one with -s"
    )


def test_file_as_search_path_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"func.py": ""})

    assert "is no directory" in refused(tmp_path / "func.py")


def test_missing_module_is_told_with_the_files_that_are_there(tmp_path: Path) -> None:
    write(tmp_path, {"fun.py": "", "app/__init__.py": "", "not-a-module.py": "", "data.txt": ""})

    assert refused(tmp_path) == (
        f"there is no module func in {tmp_path}. The modules there: app, fun. Did you mean fun?"
        " Choose another directory with -s or another module with -m."
    )


def test_missing_module_in_an_empty_directory_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path) == (
        f"there is no module func in {tmp_path}. No Python file is there."
        " Choose another directory with -s or another module with -m."
    )


def test_missing_module_of_a_package_is_told_with_its_modules(tmp_path: Path) -> None:
    write(tmp_path, {"app/__init__.py": "", "app/handlers.py": ""})

    assert refused(tmp_path, "app.handler") == (
        f"there is no module app.handler in {tmp_path}. The modules there: app.handlers."
        " Did you mean app.handlers?"
        " Choose another directory with -s or another module with -m."
    )


def test_module_that_is_no_package_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"func.py": "def main(): ...\n"})

    assert f"there is no module func.main in {tmp_path}" in refused(tmp_path, "func.main")


def test_directory_of_modules_is_no_function_itself(tmp_path: Path) -> None:
    write(tmp_path, {"app/handlers.py": "def main(): ...\n"})

    assert refused(tmp_path, "app") == (
        "app is a directory without __init__.py: choose one of its modules with -m: app.handlers"
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("func.py", "func"),
        ("app/handlers.py", "app.handlers"),
        ("./func", "func"),
        ("my-func", "my_func"),
        (".func", "func"),
        ("func:main", "func"),
    ],
)
def test_what_is_no_module_name_is_told_with_what_was_meant(
    name: str, hint: str, tmp_path: Path
) -> None:
    assert refused(tmp_path, name) == (
        f"{name!r} is no module name: expected one such as func or app.handlers;"
        f" did you mean {hint}?"
    )


def test_syntax_error_is_told_with_file_and_line(tmp_path: Path) -> None:
    write(tmp_path, {"func.py": "def main():\n    return (\n"})

    message = refused(tmp_path)

    assert message.startswith("func has a syntax error:\n")
    assert f'File "{tmp_path}/func.py", line 2' in message
    assert "SyntaxError: '(' was never closed" in message
    assert "importlib" not in message


def test_syntax_error_of_a_neighbour_is_told_with_its_file(tmp_path: Path) -> None:
    write(tmp_path, {"func.py": "import helper\n", "helper.py": "x = = 1\n"})

    message = refused(tmp_path)

    assert f'File "{tmp_path}/helper.py", line 1' in message
    assert message.startswith("func imports a module with a syntax error:\n")


def test_failing_import_is_told_with_the_frames_of_its_author(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"func.py": "import helper\n", "helper.py": "def f():\n    return {}['key']\n\nf()\n"},
    )

    message = refused(tmp_path)

    assert message.startswith("func fails while it is imported:\nTraceback (most recent call last)")
    assert f'File "{tmp_path}/func.py", line 1' in message
    assert f'File "{tmp_path}/helper.py", line 2, in f' in message
    assert message.endswith("KeyError: 'key'")
    assert "loader.py" not in message
    assert "importlib" not in message


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("raise SystemExit", "SystemExit"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
        ("raise StopIteration", "StopIteration"),
    ],
)
def test_import_that_would_end_the_process_is_told(
    statement: str, told: str, tmp_path: Path
) -> None:
    write(tmp_path, {"func.py": f"{statement}\n"})

    message = refused(tmp_path)

    assert message.startswith("func fails while it is imported:\n")
    assert told in message.splitlines()[-1]


def test_interrupt_at_import_ends_the_process(tmp_path: Path) -> None:
    write(tmp_path, {"func.py": "raise KeyboardInterrupt\n"})

    with pytest.raises(KeyboardInterrupt):
        load(str(tmp_path), "func", None)


@pytest.mark.parametrize("statement", ["import no_such_package", "from no_such_package.x import y"])
def test_missing_import_is_told_apart_with_the_hint_to_install_it(
    statement: str, tmp_path: Path
) -> None:
    write(tmp_path, {"func.py": f"{statement}\n"})

    message = refused(tmp_path)

    assert message.startswith("func imports no_such_package, which is not installed:\n")
    assert f'File "{tmp_path}/func.py", line 1' in message
    assert message.endswith(
        "\nInstall it where pyfunc runs (it may be called otherwise than 'no_such_package'),"
        " and add it to the requirements of the function."
    )


def test_missing_import_of_a_neighbour_is_told_with_the_near_name(tmp_path: Path) -> None:
    write(tmp_path, {"func.py": "import helper\n", "helpers.py": ""})

    message = refused(tmp_path)

    assert message.startswith("func imports helper, which is not installed:\n")
    assert message.endswith(f"A module helpers is in {tmp_path}: did you mean that one?")


def test_missing_module_of_an_own_package_is_not_for_installing(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"func.py": "import app.orders\n", "app/__init__.py": "", "app/order.py": ""},
    )

    message = refused(tmp_path)

    assert message.startswith("func imports app.orders, which is not there:\n")
    assert "Install" not in message
    assert message.endswith(f"A module app.order is in {tmp_path}: did you mean that one?")


def test_relative_import_outside_of_a_package_is_told_with_the_remedy(tmp_path: Path) -> None:
    write(tmp_path, {"func.py": "from . import helper\n", "helper.py": ""})

    assert refused(tmp_path).endswith(
        "\nModules beside this one are imported by their own names: write `import helper`."
    )


def test_module_that_imports_itself_away_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"func.py": "from other import x\n", "other.py": "from func import main\n"})

    message = refused(tmp_path)

    assert message.startswith("func fails while it is imported:\n")
    assert "circular import" in message


def test_name_of_a_module_of_python_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"json.py": "def main(): ...\n"})

    message = refused(tmp_path, "json")

    assert message.startswith("the name json belongs to another module (")
    assert message.endswith("): rename the file and choose it with -m")


def test_name_of_a_module_built_into_python_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"time.py": "def main(): ...\n"})

    assert refused(tmp_path, "time") == (
        "the name time belongs to another module (built into Python):"
        " rename the file and choose it with -m"
    )


# --- a function at hand ---------------------------------------------------------------------------


def greet() -> str:
    return "hello"


def on_startup() -> None: ...


def test_function_at_hand_brings_the_hooks_of_its_module() -> None:
    loaded = loaded_from(greet)

    assert loaded.function is greet
    assert list(loaded.hooks) == ["on_startup"]
    assert (loaded.module_name, loaded.function_name) == (__name__, "greet")


def test_object_at_hand_is_called_by_its_class() -> None:
    class Greeter(SimpleNamespace):
        def __call__(self) -> str:
            return "hello"

    loaded = loaded_from(Greeter())

    assert loaded.function_name == "Greeter"
    assert loaded.place.rpartition(":")[0].endswith("test_loader.py")

"""The table of servers: pyfunc, its peers, and the bare servers they are held against."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Runtime:
    """How a server is started.

    `environment` names a file in `requirements/` (or is `pyfunc`), `folder` one in `functions/`.
    In `command` and `variables`, `{bin}` is the environment's folder of programs, `{function}` a
    module and `{port}` a port.
    """

    name: str
    environment: str
    folder: str
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


PYFUNC = Runtime(
    "pyfunc",
    "pyfunc",
    "pyfunc",
    ("{bin}/python", "-m", "pyfunc", "start"),
    {"HOST": "127.0.0.1", "PORT": "{port}", "MODULE_NAME": "{function}"},
)
AIOHTTP = Runtime("bare aiohttp", "aiohttp", "bare", ("{bin}/python", "-m", "{function}", "{port}"))
FRAMEWORK = Runtime(
    "functions-framework",
    "functions-framework",
    "functions_framework",
    (
        *("{bin}/functions-framework", "--target", "main", "--source", "{function}.py"),
        *("--host", "127.0.0.1", "--port", "{port}"),
    ),
)
FRAMEWORK_ASGI = Runtime(
    "functions-framework --asgi",
    "functions-framework",
    "functions_framework_asgi",
    (*FRAMEWORK.command, "--asgi"),
)
FUNC_PYTHON = Runtime(
    "func-python",
    "func-python",
    "func_python",
    ("{bin}/python", "-m", "{function}"),
    {"LISTEN_ADDRESS": "127.0.0.1:{port}"},
)
PARLIAMENT = Runtime(
    "parliament",
    "parliament",
    "parliament",
    ("{bin}/python", "launch.py", "{function}", "{port}"),
)
GRANIAN = Runtime(
    "bare granian",
    "granian",
    "granian",
    (
        *("{bin}/granian", "--interface", "rsgi", "--no-ws"),
        *("--host", "127.0.0.1", "--port", "{port}", "{function}:app"),
    ),
)

RUNTIMES = (PYFUNC, AIOHTTP, FRAMEWORK, FRAMEWORK_ASGI, FUNC_PYTHON, PARLIAMENT, GRANIAN)

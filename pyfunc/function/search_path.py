"""The search path of the user's module: first on `sys.path`, its names not taken by other modules.

Python has one table of modules for the whole process. Of two search paths with modules of the
same name, the one put first last owns the name; functions of the other keep the modules that they
have imported, but what they import from then on is the last one's.
"""

import os
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["put_first"]


def put_first(root: Path) -> None:
    """Put a directory first on `sys.path`, and forget modules from elsewhere that hide its files.

    Modules of Python itself and of installed packages stay.

    Raises:
        OSError: The directory cannot be read.
    """
    names = _importable_names(root)
    modules = [item for item in list(sys.modules.items()) if item[0].partition(".")[0] in names]
    # Before anything changes: the place of a namespace package follows its parent and `sys.path`.
    namesakes = [name for name, module in modules if _is_namesake(module, root)]
    sys.path[:] = [str(root), *(entry for entry in sys.path if entry != str(root))]
    for name in namesakes:
        del sys.modules[name]


def _importable_names(root: Path) -> set[str]:
    with os.scandir(root) as entries:
        return {e.name.removesuffix(".py") for e in entries if e.name[-3:] == ".py" or e.is_dir()}


def _is_namesake(module: ModuleType, root: Path) -> bool:
    top = module.__name__.partition(".")[0]
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if top in sys.stdlib_module_names or top in ("__main__", "pyfunc") or not file:
        return False
    is_installed = {"site-packages", "dist-packages"}.intersection(Path(file).parts)
    return root not in Path(file).parents and not is_installed

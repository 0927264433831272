"""The tests of the fast path do not run on the plain path, nor are they imported there."""

from tests.support.apps import IS_PLAIN

collect_ignore_glob = ["test_*.py"] if IS_PLAIN else []

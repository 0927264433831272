from collections.abc import Iterator

import pytest

from tests.support.flask_twin import flask_server


@pytest.fixture(scope="session")
def flask_port() -> Iterator[int]:
    """The port of a server whose requests are Flask's own."""
    with flask_server() as port:
        yield port

"""`pytest tests/fuzz --hypothesis-profile=long` searches for hours rather than for a second."""

from hypothesis import settings

settings.register_profile("long", max_examples=200_000, deadline=None)

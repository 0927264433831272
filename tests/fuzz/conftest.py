"""`pytest tests/fuzz --hypothesis-profile=long --timeout=0` searches for hours."""

from hypothesis import settings

settings.register_profile("long", max_examples=200_000, deadline=None)

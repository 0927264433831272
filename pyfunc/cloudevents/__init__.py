"""CloudEvents 1.0 and 0.3: events, their attributes and data, and how they travel over HTTP.

It imports `errors` and no web framework, so that commands and the test kit decode and encode as
the server does. The request of an event is left to `middlewares`, the reply to `invoking`.
"""

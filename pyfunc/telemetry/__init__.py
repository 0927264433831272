"""Logs, the access log, metrics and traces, and the set-up that enables them.

Each is an observer of requests (`invoking.observers`) or configures a library. Metrics and traces
are extras, imported only if enabled; nothing below this package imports it.
"""

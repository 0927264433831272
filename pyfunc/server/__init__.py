"""The process: signals, listeners, the drain, and several processes on one port.

`process` runs an application from start to exit code, by the connections of `fastpath` or by
aiohttp's own (`plain`). It is handed a callable that makes the application, and imports neither
`app` nor `telemetry`.
"""

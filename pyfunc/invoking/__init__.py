"""Invocations: the function called for a request, and its result made a response or reply events.

`invoker` is the handler of the application; `threads`, `deadlines` and `admission` say where, how
long and how many at a time, `results`, `replies` and `streams` what is answered, `user_code` what
becomes of any exception. Imports `function` and below; requests are let in by `middlewares`.
"""

"""The user's function: loaded, its signature compiled into a plan, one call as an `Invocation`.

It imports `cloudevents`, `request` and below. To call the function and to answer are left to
`invoking`, so that `check` and `invoke` use a plan without a server.
"""

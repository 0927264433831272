"""The middlewares of the application, one per module, in the order of the list in `app`.

Probes, failures, admission, webhook, CloudEvents; and what they share: problem documents, and the
headers of every response. Imports `invoking` and below; observers stand there, since calls have
them, too.
"""

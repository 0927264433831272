"""The request as a synchronous function sees it, with the names of Flask and Werkzeug.

`view` has the request, `headers`, `forms` and `multidicts` parse and hold its parts, `wsgi` and
`flask` build a real Flask request from the same bytes. May import `errors`. Reading the body,
choosing which request a function receives and sending responses belong to the packages above.
"""

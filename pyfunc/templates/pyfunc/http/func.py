"""An HTTP function: its parameters are parts of the request, what it returns is the response."""


def main(query):
    return {"hello": query.get("name", "world")}

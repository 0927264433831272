def main(req):
    return {
        "/str": "text",
        "/dict": {"a": 1},
        "/list": [1, 2],
        "/none": None,
        "/status": ("created", 201),
        "/line": ("teapot", "418 I'M A TEAPOT"),
        "/headers": ({"a": 1}, {"X-One": "1"}),
        "/both": ("moved", 301, {"Location": "/str"}),
        "/pairs": ("two", 200, [("X-Many", "1"), ("X-Many", "2")]),
    }[req.path]

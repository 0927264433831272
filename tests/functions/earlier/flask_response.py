def main(req):
    from flask import Response

    if req.path == "/stream":
        return Response((str(n) for n in range(3)), mimetype="text/csv")
    return Response("<p>hi</p>", status=202, headers={"X-One": "1"}, mimetype="text/html")

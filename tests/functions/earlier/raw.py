def main(req):
    return req.get_data()[::-1], 200, {"Content-Type": req.headers.get("Content-Type")}

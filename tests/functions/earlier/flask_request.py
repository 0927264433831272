import flask


def main(req: flask.Request):
    assert isinstance(req, flask.Request)
    if req.files:
        return {"file": len(req.files["f"].read()), "form": req.form["note"]}
    body = req.get_json(silent=True)
    return {"args": req.args.get("a"), "cookie": req.cookies.get("c"), "json": body}

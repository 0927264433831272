FORM = '<form method="post"><input name="first"><input name="second"></form>'


def main(req):
    if req.method == "GET":
        return FORM, 200, {"Content-Type": "text/html"}
    if req.form["password"] != "secret":
        return "wrong password", 401
    first = int(req.form.get("first", default=0))
    second = req.form.get("second", default=0, type=int)
    return f"{req.form.get('user', 'nobody')}: {first + second}"

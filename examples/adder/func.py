USERS = {"ada": "lovelace"}


def main(req):
    user, password = req.form.get("user"), req.form.get("password")
    if user not in USERS or USERS[user] != password:
        return "Wrong user or password\n", 401, {"WWW-Authenticate": 'Form realm="adder"'}

    first = req.form.get("first", default=0, type=int)
    second = req.form.get("second", default=0, type=int)
    return {"sum": first + second}

from flask import abort, jsonify, make_response, redirect, request


def main():
    if request.path == "/abort":
        abort(403, "not you")
    if request.path == "/redirect":
        return redirect("/")
    if request.path == "/made":
        response = make_response("made", 201)
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response
    return jsonify(path=request.path, who=request.args.get("who"))

def main(req):
    page = req.args.get("page", default=1, type=int)
    return [page, req.args.getlist("tag"), req.args.to_dict(), req.args.get("none")]

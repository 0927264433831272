def main(req):
    if not req.is_json:
        return {"error": "JSON, please"}, 415
    order = req.get_json()
    return {"total": sum(item["qty"] for item in order["items"]), "again": req.json == order}

import hashlib


def main(req):
    file = req.files["f"]
    content = file.read()
    return {
        "name": file.filename,
        "type": file.content_type,
        "size": len(content),
        "digest": hashlib.sha256(content).hexdigest(),
        "note": req.form.get("note"),
    }

def main(req):
    return req.get_data(as_text=True).upper()

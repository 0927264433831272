def main(req):
    agent = req.headers.get("User-Agent", "")
    found = [req.method, req.path, req.url, req.base_url, req.host, req.query_string.decode()]
    return [*found, req.remote_addr, req.origin, agent, req.content_type, req.scheme]

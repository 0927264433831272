def main(req):
    visits = int(req.cookies.get("visits", 0)) + 1
    return f"visit {visits}", {"Set-Cookie": f"visits={visits}; Path=/"}

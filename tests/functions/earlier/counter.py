counter = 0


def main(req, headers, body):
    global counter
    counter += 1
    return f"{counter} {headers.get('X-Who')} {body.decode()}"

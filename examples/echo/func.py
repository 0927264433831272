def main(attributes, data):
    return attributes, data

def main(query):
    return f"Hello, {query.get('name', 'world')}!\n"

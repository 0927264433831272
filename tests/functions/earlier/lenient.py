def main(request):
    return {"body": request.get_json(force=True, silent=True)}

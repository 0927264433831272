import functions_framework


@functions_framework.http
def main(request):
    return f"Hello {request.get_data().decode()}"

"""What `python -m parliament` does, on a port that can be chosen: its own is always 8080."""

import sys

from parliament import server
from waitress import serve

serve(server.create(server.load(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[2]))

"""Applications (ASGI, WSGI): found, started, ended."""

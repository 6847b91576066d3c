"""Applications (ASGI, WSGI): found, started, ended. `_hosting` is where it begins."""

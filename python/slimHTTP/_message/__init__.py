"""Requests and responses as handlers have them, and as bytes: what knows no server."""

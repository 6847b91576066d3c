"""Serving: the threads and the event loop, the beginning and the end, forked children."""

"""A failure of a handler, for the log and for the page that a browser is shown."""

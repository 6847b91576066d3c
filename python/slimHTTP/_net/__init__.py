"""Connections as a program sees them: identities, events, WebSockets, certificates."""

"""Middleware and dependencies for every request: ids, limits, body size, CORS, disconnects, unknown parameters."""

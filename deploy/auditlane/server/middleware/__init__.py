"""Middleware and dependencies for every request: ids, limits, body sizes, CORS, disconnects and unknown parameters."""

"""What surrounds every request: its id, limits, body size, CORS, disconnects, unknown parameters."""

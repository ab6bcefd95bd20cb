"""What surrounds every request: ids, limits, bodies, CORS, disconnects, parameters."""

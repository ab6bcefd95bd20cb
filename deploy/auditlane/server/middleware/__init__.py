"""Middleware and dependencies for every request. They handle ids, limits, body sizes, CORS, disconnects and unknown
parameters.
"""

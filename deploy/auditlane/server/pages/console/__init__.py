"""The operators' console, with tenants, lag, dead letters and health. It is rendered on the server and works without
scripts.
"""

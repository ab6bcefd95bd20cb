"""Builds statements and runs them on ClickHouse. Queries have limits, also per tenant, can be cancelled, and return
complete results.
"""

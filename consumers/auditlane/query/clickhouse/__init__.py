"""Builds statements and runs them on ClickHouse. Queries have limits, in total and per tenant, can be cancelled, and
return complete results.
"""

"""Observes an installation from outside its workers: events about lag, rejections, disks and expiry, a week of
measurements, the canary, and the security check.

`decide` makes one check, and `observer` runs it in the one process that holds the lease.
"""

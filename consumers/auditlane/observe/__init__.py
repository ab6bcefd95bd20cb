"""Observes an installation from outside its workers: records events about lag, rejections, disks and expiry, and keeps
a week of measurements. Also contains the canary and the security check.

`decide` makes the decisions of one check, and `observer` runs it in the one process that holds the lease.
"""

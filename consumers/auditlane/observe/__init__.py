"""Observes an installation from outside its workers. The package records events about lag, rejections, disks and
expiry, keeps a week of measurements, and contains the canary and the security check.

`decide` makes one check, and `observer` runs it in the one process that holds the lease.
"""

"""Observes an installation from outside its workers: its own events about lag, rejections, disks and expiry, a week of
measurements, and the security check.

`conditions` decides, `observer` runs, `lease` elects the one process that observes.
"""

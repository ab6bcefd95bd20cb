"""Observes an installation from outside its workers: its own events about lag, rejections, disks and expiry, and a
week of measurements.

`conditions` decides, `observer` runs, `lease` elects the one process that observes.
"""

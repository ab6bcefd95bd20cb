"""The canary: a small event that is sent regularly and awaited in the place where readers would see it, so that a fault
anywhere along the way is noticed from outside.

`trip` decides, `canary` sends and waits, `sight` reads, and `process` is `auditlane canary`.
"""

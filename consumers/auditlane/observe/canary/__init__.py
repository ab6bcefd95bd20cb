"""The canary: a small event that is sent regularly and awaited where readers would see it, so that a fault anywhere on
the way is noticed from outside.

`trip` decides, `canary` sends and waits, `sight` reads, and `process` is `auditlane canary`.
"""

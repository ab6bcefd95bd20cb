"""The canary. It regularly sends a small event and waits until readers could see it, so that a fault anywhere along the
way is noticed from outside.

`trip` makes the decisions, `canary` sends events and waits for them, `sight` reads the log, and `process` runs
`auditlane canary`.
"""

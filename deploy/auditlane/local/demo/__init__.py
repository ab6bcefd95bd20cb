"""The demo: a synthetic SaaS product with three tenants. Stores its past 30 days, then emits live events.

`tenants` and `people` describe the tenants, `inventory` holds their objects, `changes` and `administration` are the
actions on them. `schedule` plans sessions, `sessions` plays them, `history` returns the events, with each tenant's
custom `fields`. `backfill` stores a history, `live` continues it.
"""

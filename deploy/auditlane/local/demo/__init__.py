"""The demo. It simulates a SaaS product with three tenants, stores the events of the past 30 days, and then emits live
events.

`tenants` and `people` describe the tenants, `inventory` contains their objects, and `changes` and `administration` are
actions on these. `schedule` plans sessions, `sessions` plays them, and `history` returns the events, with each tenant's
custom `fields`. `backfill` stores a history, and `live` continues it.
"""

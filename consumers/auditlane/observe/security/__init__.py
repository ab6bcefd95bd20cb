"""The security check. `catalogue` lists the checks, `run` makes them, and `schedule` repeats them within `serve`.

A check has two parts. One part gathers facts, which `facts` caches. The other consists of pure functions that turn
facts into findings.
"""

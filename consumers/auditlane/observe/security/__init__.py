"""The security check. `catalogue` lists the checks, `run` makes them, and `schedule` repeats them within `serve`.

A check has two parts. A module gathers facts, which `facts` keeps, and pure functions turn the facts into findings.
"""

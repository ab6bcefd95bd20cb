"""The security check: `catalogue` lists the checks, `run` makes them, `schedule` repeats them within `serve`.

A check has two parts: a module gathers facts, which `facts` holds, and pure functions turn the facts into findings.
"""

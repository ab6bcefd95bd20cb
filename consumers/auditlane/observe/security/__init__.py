"""The security check: `catalogue` lists the checks, `run` makes them, `schedule` repeats them within `serve`.

A check has two parts: a module gathers facts (`facts` holds them), and pure functions turn facts into findings.
"""

"""Injects hundreds of faults into a complete pipeline under load: `python -m chaos --faults 200 --seed 1`."""

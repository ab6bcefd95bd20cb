"""Faults by the hundred against a whole pipeline under load: `python -m chaos --faults 200 --seed 1`."""

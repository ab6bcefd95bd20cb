"""Exports that continue without their client and survive the process that works on them."""

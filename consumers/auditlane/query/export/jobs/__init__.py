"""Exports that continue without their client, and survive a restart of the process that runs them."""

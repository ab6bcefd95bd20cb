"""Events in the Open Cybersecurity Schema Framework (OCSF): the mapping of an event, and the format's encoder."""

"""Maps events to the Open Cybersecurity Schema Framework (OCSF), and encodes files in this format."""

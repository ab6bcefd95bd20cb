"""The `auditlane` command, one file a subcommand."""

"""The `auditlane` command, one module per subcommand; `subcommands` lists them."""

"""The `auditlane` command, with one module per subcommand. `subcommands` lists them."""

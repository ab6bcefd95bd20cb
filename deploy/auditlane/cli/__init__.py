"""The `auditlane` command. There is one module per subcommand, and `subcommands` lists them."""

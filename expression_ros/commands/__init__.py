"""The subcommands of ``expression-ros``: each parses its options and calls."""

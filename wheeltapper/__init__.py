"""The commands: one file a command, composed from the rooms below."""

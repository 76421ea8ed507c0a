"""Who may do what in the console: local accounts, their roles, their sessions, and who did what."""

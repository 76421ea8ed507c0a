"""The embedded history: windows of every tag in one file of SQLite, beside the journal."""

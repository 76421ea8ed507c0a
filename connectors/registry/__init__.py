"""A registry of models: a folder behind any static HTTP server, believed by TUF metadata alone."""

"""The six boards, one a module."""

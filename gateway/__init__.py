"""The running edge process: journal, stages, supervisor, alarms, console."""

"""What happens to a batch, in order: scale → monitor → align → judge → alarm.

Every stage is a fold: its state after a batch follows from the batches alone, never from a clock,
so that a snapshot and the journal after it give the same state again.
"""

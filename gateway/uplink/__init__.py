"""The way upstream: what the journal holds is carried to each sink, at the sink's own pace."""

from gateway.uplink.uplinks import Uplinks

__all__ = ["Uplinks"]

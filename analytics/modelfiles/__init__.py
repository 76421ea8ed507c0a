"""Model files: what a detector has learnt, on its way from a trainer to a gateway.

A JSON header and raw arrays, signed (Ed25519, RFC 8032). Reading one runs no code of it: bytes are
judged in the order size, signature, header, bounds, sums, numbers; nothing is allocated that its
size does not warrant.
"""

from analytics.modelfiles.file import MOST_BYTES, Model, read_model, write_model
from analytics.modelfiles.header import Header
from analytics.modelfiles.kinds import KINDS, restored
from analytics.modelfiles.places import SUFFIX, asset_of, model_folder, version_in
from analytics.modelfiles.refusals import Cause, ModelRefused
from analytics.modelfiles.watches import check_fits, settings_body, watch_of

__all__ = [
    "KINDS",
    "MOST_BYTES",
    "SUFFIX",
    "Cause",
    "Header",
    "Model",
    "ModelRefused",
    "asset_of",
    "check_fits",
    "model_folder",
    "read_model",
    "restored",
    "settings_body",
    "version_in",
    "watch_of",
    "write_model",
]

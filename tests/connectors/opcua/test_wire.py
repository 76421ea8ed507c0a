import contextlib
import struct
import uuid
from datetime import UTC, datetime

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import extensionobject_to_binary, struct_to_binary, variant_to_binary
from hypothesis import given
from hypothesis import strategies as st

from connectors.opcua import wire
from plant.errors import Rejected

T = ua.VariantType
WHEN = datetime(2026, 1, 2, tzinfo=UTC)
VARIANTS = [
    ua.Variant(None, T.Null),
    ua.Variant(True, T.Boolean),
    ua.Variant(-3, T.SByte),
    ua.Variant(7, T.UInt64),
    ua.Variant(1.5, T.Float),
    ua.Variant("grün", T.String),
    ua.Variant(None, T.String),
    ua.Variant(WHEN, T.DateTime),
    ua.Variant(uuid.UUID(int=5), T.Guid),
    ua.Variant(b"\x00\xff", T.ByteString),
    ua.Variant(ua.NodeId("a", 3), T.NodeId),
    ua.Variant(ua.NodeId(5, 0), T.NodeId),
    ua.Variant(ua.NodeId(70_000, 3), T.NodeId),
    ua.Variant(ua.ExpandedNodeId(5, 0, NamespaceUri="urn:x", ServerIndex=2), T.ExpandedNodeId),
    ua.Variant(ua.StatusCode(0x80050000), T.StatusCode),
    ua.Variant(ua.QualifiedName("q", 2), T.QualifiedName),
    ua.Variant(ua.LocalizedText("text", "en"), T.LocalizedText),
    ua.Variant(ua.EUInformation("urn:u", 4408652), T.ExtensionObject),
    ua.Variant(ua.DataValue(ua.Variant(2.0, T.Double), SourceTimestamp=WHEN), T.DataValue),
    ua.Variant([1.0, 2.0, 3.0], T.Double),
    ua.Variant(["a", None, "c"], T.String),
    ua.Variant([ua.LocalizedText("a"), ua.LocalizedText(None, "de")], T.LocalizedText),
    ua.Variant([ua.Variant(1, T.Int16), ua.Variant("x", T.String)], T.Variant),
    ua.Variant([[1, 2], [3, 4]], T.Int32, Dimensions=[2, 2]),
    ua.Variant([], T.Int32, is_array=True),
    ua.Variant(ua.DiagnosticInfo(SymbolicId=1, AdditionalInfo="why"), T.DiagnosticInfo),
]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda one: f"{one.VariantType.name}")
def test_a_variant_is_skipped_to_its_last_byte(variant: ua.Variant) -> None:
    data = variant_to_binary(variant)
    assert wire.skip_variant(b"<<" + data + b"tail", 2) == 2 + len(data)


@pytest.mark.parametrize("variant", VARIANTS[1:], ids=lambda one: f"{one.VariantType.name}")
def test_a_shortened_variant_is_rejected(variant: ua.Variant) -> None:
    data = variant_to_binary(variant)
    for length in range(len(data)):
        with pytest.raises(Rejected):
            wire.skip_variant(data[:length], 0)


def test_headers_are_skipped_to_their_last_byte() -> None:
    reason = struct_to_binary(ua.DiagnosticInfo(SymbolicId=4, AdditionalInfo="x"))
    assert wire.skip_diagnostic_info(reason, 0) == len(reason)
    unit = extensionobject_to_binary(ua.EUInformation("urn:u", 1))
    assert wire.skip_extension_object(unit, 0) == len(unit)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80" + struct.pack("<i", 2**31 - 1),
        b"\x80" + struct.pack("<i", 2),
        b"\x8b" + struct.pack("<i", 2**31 - 1) + bytes(100),
        b"\x8c" + struct.pack("<i", 2**31 - 1) + bytes(100),
        b"\x11\x3f" + bytes(20),
        b"\x18" * 1000,
        b"\x19" + b"\x40" * 1000,
        b"\x17" + b"\x01\x17" * 1000,
        b"",
    ],
    ids=[
        "2^31 nulls",
        "nulls",
        "huge",
        "strings",
        "node id",
        "nested",
        "reasons",
        "values",
        "none",
    ],
)
def test_hostile_variants_are_rejected(data: bytes) -> None:
    with pytest.raises(Rejected):
        wire.skip_variant(data, 0)


@pytest.mark.parametrize("length", [-1, -2, -(2**31)])
def test_negative_lengths_are_empty_and_never_step_back(length: int) -> None:
    data = b"\x0c" + struct.pack("<i", length)
    assert wire.skip_variant(data, 0) == len(data)
    assert wire.string(data, 1) == ("", len(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_skipped_or_rejected(data: bytes) -> None:
    with contextlib.suppress(Rejected):
        assert 0 < wire.skip_variant(data, 0) <= len(data)
    with contextlib.suppress(Rejected):
        assert 0 < wire.skip_data_value(data, 0) <= len(data)


@pytest.mark.parametrize("mask", range(4))
def test_localized_texts(mask: int) -> None:
    given = ua.LocalizedText("text" if mask & 2 else None, "en" if mask & 1 else None)
    data = struct_to_binary(given)
    assert wire.localized_text(data, 0) == (given.Text or "", len(data))

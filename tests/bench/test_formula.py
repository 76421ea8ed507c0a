"""What the loads send follows from tag and tick, on both sides alike."""

import numpy as np

from bench.loads.formula import (
    ENCODINGS,
    FAULT_EVERY,
    FAULT_TICKS,
    MODBUS_REGISTERS,
    OpcUaSignals,
    modbus_faulty,
    modbus_values,
)

SIGNALS = OpcUaSignals(50, 100_000_000)
TAG, TICK = (grid.ravel() for grid in np.meshgrid(np.arange(50), np.arange(1_000, 1_000 + 600)))


def test_values_survive_their_encoding() -> None:
    values, encoding = SIGNALS.values(TAG, TICK), SIGNALS.encoding(TAG)

    for place, kind in enumerate(ENCODINGS):
        sent = values[encoding == place]
        assert (sent.astype(kind.dtype).astype(np.float64) == sent).all(), kind.name


def test_values_are_the_same_at_any_size_of_request() -> None:
    whole = SIGNALS.values(TAG, TICK)

    assert (SIGNALS.values(TAG[123:456], TICK[123:456]) == whole[123:456]).all()


def test_every_tag_is_faulty_its_share_of_the_time() -> None:
    faults = SIGNALS.faulty(TAG, TICK).reshape(FAULT_EVERY, 50).sum(axis=0)

    assert (faults == FAULT_TICKS).all()


def test_a_fault_stands_out() -> None:
    values, fault = SIGNALS.values(TAG, TICK), SIGNALS.faulty(TAG, TICK)
    of_one = TAG == 0

    assert values[of_one & fault].min() > values[of_one & ~fault].max()


def test_registers_fit_16_bits_and_faults_stand_above_the_limit() -> None:
    unit, register, tick = (
        grid.ravel()
        for grid in np.meshgrid(
            np.arange(1, 51), np.arange(3, MODBUS_REGISTERS), 1_700_000_000 + np.arange(60)
        )
    )
    values, fault = modbus_values(unit, register, tick), modbus_faulty(unit, register, tick)

    assert values.max() < 65_536
    assert values[fault].min() > 3_000 > values[~fault].max()

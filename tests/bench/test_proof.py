"""The proof of the bench finds what is missing, doubled or wrong."""

from collections.abc import Callable

import numpy as np
import pytest

from analytics.findings import Finding
from bench.loads.formula import MODBUS_REGISTERS, OpcUaSignals, modbus_values
from bench.proof import Columns, Found, prove_modbus, prove_opcua

PERIOD = 100_000_000
SIGNALS = OpcUaSignals(20, PERIOD)
FIRST, TICKS = 17_000_000_390, 30
START, STOP = FIRST * PERIOD - 5, (FIRST + TICKS) * PERIOD - 5
NUMBER = np.arange(-1, 20)
BAD = 0x808C0000


def opcua() -> Columns:
    tick, tag = (
        grid.ravel() for grid in np.meshgrid(FIRST + np.arange(TICKS), np.arange(20), indexing="ij")
    )
    bad, fault = SIGNALS.bad(tag, tick), SIGNALS.faulty(tag, tick)
    value = np.where(bad, np.nan, SIGNALS.values(tag, tick))
    verdict = np.where(fault, Finding.SHIFT, 0) | np.where(bad, Finding.NOT_GOOD, 0)
    status = np.where(bad, BAD, 0).astype(np.uint32)
    return Columns(tag + 1, tick * PERIOD, value, status, verdict.astype(np.uint8))


def modbus() -> Columns:
    answer, register = np.divmod(np.arange(2 * 6 * MODBUS_REGISTERS), MODBUS_REGISTERS)
    scan, unit = np.divmod(answer, 2)
    tick = 1_700_000_000 + scan
    value = modbus_values(unit + 1, register, tick)
    value = np.where(register == 0, tick % 65_536, value)
    value = np.where(register == 1, tick // 65_536, value)
    value = np.where(register == 2, (65_533 + scan) % 65_536, value).astype(np.float64)
    n = len(value)
    tag = MODBUS_REGISTERS * unit + register
    return Columns(tag, tick * 10**9, value, np.zeros(n, np.uint32), np.zeros(n, np.uint8))


def without(samples: Columns) -> Columns:
    return samples[np.arange(len(samples.tag)) != 77]


def doubled(samples: Columns) -> Columns:
    return samples[np.append(np.arange(len(samples.tag)), 77)]


def changed(samples: Columns) -> Columns:
    samples.value[77] = np.nextafter(samples.value[77], np.inf)
    return samples


def called_bad(samples: Columns) -> Columns:
    samples.status[77] = BAD
    return samples


def unscored(samples: Columns) -> Columns:
    samples.verdict[77] = Finding.UNSCORED
    return samples


def found_opcua(samples: Columns) -> Found:
    return prove_opcua(samples, NUMBER, SIGNALS, START, STOP)


def found_modbus(samples: Columns) -> Found:
    number = np.arange(2 * MODBUS_REGISTERS) + MODBUS_REGISTERS
    return prove_modbus(samples, number, 0, 2**62)


def test_whole_opcua_is_proved() -> None:
    found = found_opcua(opcua())

    assert found.proved
    assert found.sent == 20 * TICKS
    assert found.hits == found.flagged == found.faults > 0


@pytest.mark.parametrize("harm", [without, doubled, changed, called_bad, unscored])
def test_harmed_opcua_is_not_proved(harm: Callable[[Columns], Columns]) -> None:
    assert not found_opcua(harm(opcua())).proved


def test_whole_modbus_is_proved() -> None:
    found = found_modbus(modbus())

    assert found.proved
    assert found.sent == 2 * 6 * MODBUS_REGISTERS


def test_lost_modbus_answer_is_not_proved() -> None:
    samples = modbus()
    third_answer = np.arange(len(samples.tag)) // MODBUS_REGISTERS == 4

    found = found_modbus(samples[~third_answer])

    assert found.sent - found.journalled == MODBUS_REGISTERS


def test_changed_modbus_value_is_not_proved() -> None:
    assert found_modbus(changed(modbus())).wrong == 1


def test_torn_modbus_answer_is_refused() -> None:
    whole = modbus()

    with pytest.raises(ValueError, match="not whole"):
        found_modbus(whole[np.roll(np.arange(len(whole.tag)), 1)[MODBUS_REGISTERS // 2 : -50]])

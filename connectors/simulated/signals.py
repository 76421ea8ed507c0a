"""The signals of each kind of machine: names, units, encodings, limits and noise, as tables."""

from dataclasses import dataclass

from plant.tags import Role, Tag, ValueType

OPCUA = "line-opcua"
"""Source name of the tags that the OPC UA server offers."""
MODBUS = "line-modbus"
"""Source name of the tags that the Modbus server offers."""
NAMESPACE = "urn:wheeltapper:simulated"
LINE = "demo/hall-1/line-1"

_BOOL = ValueType.BOOL
_INT16 = ValueType.INT16
_UINT16 = ValueType.UINT16
_INT32 = ValueType.INT32
_UINT32 = ValueType.UINT32
_FLOAT32 = ValueType.FLOAT32
_FLOAT64 = ValueType.FLOAT64


@dataclass(frozen=True, slots=True)
class Channel:
    """One column of a machine.

    Parameters
    ----------
    name, unit, description
        For people; the unit is a UCUM code.
    type
        Encoding at the server.
    step
        Resolution of the sensor, engineering unit; for whole-number encodings also their scale.
    low, high
        Plausible values, engineering unit.
    noise
        Standard deviation of the measurement while the machine runs, engineering unit.
    rest
        Part of that noise that remains at standstill.
    register
        Modbus address, empty for OPC UA.
    """

    name: str
    type: ValueType
    unit: str
    step: float
    low: float | None
    high: float | None
    description: str
    noise: float = 0.0
    rest: float = 0.3
    register: str = ""
    role: Role = Role.SIGNAL

    @property
    def whole(self) -> bool:
        """Whether the encoding is a whole number (then `step` is its scale)."""
        return self.type not in (_FLOAT32, _FLOAT64)

    def tag(self, machine: str) -> Tag:
        """Give the tag of this channel on `machine`, address and scaling filled in."""
        return Tag(
            name=f"{LINE}/{machine}/{self.name}",
            source=MODBUS if self.register else OPCUA,
            address=self.register or f"nsu={NAMESPACE};{machine}/{self.name}",
            type=self.type,
            unit=self.unit,
            scale=self.step if self.whole else 1.0,
            role=self.role,
            low=self.low,
            high=self.high,
            description=self.description,
        )


MODES = ((0, "idle"), (1, "run"), (2, "changeover"))
"""What the modes of every machine are called."""


def _mode(register: str = "") -> Channel:
    words = ", ".join(f"{number} {name}" for number, name in MODES)
    text = f"Operating mode: {words}; run is reported once at speed"
    return Channel("mode", _UINT16, "", 1, 0, 2, text, register=register, role=Role.MODE)


# fmt: off
PUMP = (
    Channel("speed", _INT32, "/min", 1, -10, 1800, "Shaft speed", 2.0, 0.4),
    Channel("flow", _FLOAT64, "m3/h", 0.01, -2, 90, "Flow at the discharge", 0.35, 0.3),
    Channel("suction_pressure", _FLOAT32, "bar", 0.001, 0.2, 2.5, "Pressure before the pump",
            0.018, 0.5),
    Channel("discharge_pressure", _FLOAT32, "bar", 0.005, 0, 10, "Pressure behind the pump",
            0.045, 0.4),
    Channel("seal_pressure", _FLOAT32, "bar", 0.005, 1, 6, "Barrier fluid of the shaft seal",
            0.055, 0.6),
    Channel("power", _FLOAT32, "kW", 0.01, -0.5, 25, "Active power of the drive", 0.12, 0.1),
    Channel("current", _FLOAT32, "A", 0.01, -1, 45, "Motor current", 0.18, 0.1),
    Channel("valve_position", _UINT16, "%", 0.1, 0, 100, "Opening of the discharge valve",
            0.5, 0.2),
    Channel("vibration", _FLOAT64, "mm/s", 0.001, 0, 12,
            "Velocity RMS at the drive-end bearing, 10 Hz to 1 kHz", 0.19, 0.12),
    Channel("vibration_nde", _FLOAT32, "mm/s", 0.001, 0, 12,
            "Velocity RMS at the non-drive-end bearing, 10 Hz to 1 kHz", 0.14, 0.12),
    Channel("bearing_temperature", _FLOAT32, "Cel", 0.02, 5, 110, "Drive-end bearing",
            0.20, 1.0),
    Channel("bearing_temperature_nde", _FLOAT32, "Cel", 0.02, 5, 110, "Non-drive-end bearing",
            0.20, 1.0),
    Channel("winding_temperature", _FLOAT64, "Cel", 0.05, 5, 155, "Motor winding", 0.30, 1.0),
    Channel("oil_temperature", _INT16, "Cel", 0.05, 5, 95, "Bearing oil", 0.18, 1.0),
    _mode(),
    Channel("seal_flush", _BOOL, "", 1, 0, 1, "Flush of the shaft seal is on",
            role=Role.CONTEXT),
)

PRESS = (
    Channel("ram_position", _UINT16, "mm", 0.1, 0, 450, "Ram above the bed", 0.5, 0.5,
            "unit 1, holding 0, uint16"),
    Channel("system_pressure", _UINT16, "bar", 0.1, 100, 280, "Hydraulic accumulator", 1.1, 0.7,
            "unit 1, holding 1, uint16"),
    Channel("cylinder_pressure", _UINT16, "bar", 0.1, 0, 260, "Main cylinder", 1.6, 0.4,
            "unit 1, holding 2, uint16"),
    Channel("cushion_pressure", _UINT16, "bar", 0.1, 0, 80, "Die cushion", 0.35, 0.4,
            "unit 1, holding 3, uint16"),
    Channel("force_left", _FLOAT32, "kN", 0.1, -20, 700, "Peak force, left column", 3.2, 0.3,
            "unit 1, holding 10, float32 cdab"),
    Channel("force_right", _FLOAT32, "kN", 0.1, -20, 700, "Peak force, right column", 3.2, 0.3,
            "unit 1, holding 12, float32 cdab"),
    Channel("oil_flow", _FLOAT32, "L/min", 0.05, 0, 140, "Delivery of the hydraulic pump",
            1.0, 0.5, "unit 1, holding 14, float32 abcd"),
    Channel("motor_power", _FLOAT32, "kW", 0.02, 0, 60, "Drive of the hydraulic pump",
            0.35, 0.5, "unit 1, holding 16, float32 badc"),
    Channel("motor_current", _UINT32, "A", 0.001, 0, 110, "Drive of the hydraulic pump",
            0.35, 0.5, "unit 1, holding 18, uint32 dcba"),
    Channel("vibration", _UINT16, "mm/s", 0.001, 0, 12, "Velocity RMS at the hydraulic pump",
            0.14, 0.3, "unit 1, input 0, uint16"),
    Channel("oil_temperature", _INT16, "Cel", 0.02, 5, 90, "Oil in the tank", 0.18, 1.0,
            "unit 1, input 1, int16"),
    Channel("cooler_outlet_temperature", _INT16, "Cel", 0.02, 5, 80, "Oil behind the cooler",
            0.18, 1.0, "unit 1, input 2, int16"),
    Channel("die_temperature", _INT16, "Cel", 0.02, 5, 140, "Lower die", 0.30, 1.0,
            "unit 1, input 3, int16"),
    Channel("oil_level", _UINT16, "%", 0.01, 0, 100, "Oil in the tank", 0.25, 0.8,
            "unit 1, input 4, uint16"),
    _mode("unit 1, holding 4, uint16"),
    Channel("part", _UINT32, "", 1, 0, None, "Number of the part in work",
            register="unit 1, holding 20, uint32 cdab", role=Role.PART),
    Channel("trigger", _BOOL, "", 1, 0, 1, "The die is closed on a part",
            register="unit 1, discrete 0", role=Role.TRIGGER),
    Channel("cycle_time", _UINT32, "s", 0.001, 0, 60, "Planned time of a stroke",
            register="unit 1, holding 22, uint32 abcd", role=Role.CONTEXT),
)
# fmt: on

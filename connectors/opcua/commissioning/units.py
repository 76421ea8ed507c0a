"""Units: from the EUInformation of a variable to a UCUM code.

OPC 10000-8 §5.6.4.3: the unit's number is the UNECE Recommendation 20 code, its letters as the
bytes of a big-endian integer.
"""

import re

from asyncua import ua

_UNECE = {
    # temperature
    "CEL": "Cel", "FAH": "[degF]", "KEL": "K",
    # length, area, volume
    "MTR": "m", "MMT": "mm", "CMT": "cm", "DMT": "dm", "KMT": "km", "KTM": "km", "4H": "um",
    "INH": "[in_i]", "FOT": "[ft_i]", "MTK": "m2", "CMK": "cm2", "MMK": "mm2", "MTQ": "m3",
    "LTR": "L", "MLT": "mL", "CMQ": "cm3", "HLT": "hL", "GLL": "[gal_us]",
    # time, frequency, turns
    "SEC": "s", "C26": "ms", "B98": "us", "C47": "ns", "MIN": "min", "HUR": "h", "DAY": "d",
    "HTZ": "Hz", "KHZ": "kHz", "MHZ": "MHz", "A86": "GHz", "RPM": "/min", "RPS": "/s", "C97": "/s",
    "C94": "/min", "C93": "/s", "2A": "rad/s", "C81": "rad", "DD": "deg", "E96": "deg/s",
    # speed, acceleration
    "MTS": "m/s", "C16": "mm/s", "2M": "cm/s", "2X": "m/min", "KMH": "km/h", "MSK": "m/s2",
    "K40": "[g]", "A76": "Gal",
    # mass, force, torque, density
    "KGM": "kg", "GRM": "g", "MGM": "mg", "TNE": "t", "LBR": "[lb_av]", "NEW": "N", "B47": "kN",
    "DU": "daN", "NU": "N.m", "B48": "kN.m", "KMQ": "kg/m3", "GL": "g/L", "23": "g/cm3",
    # pressure
    "PAL": "Pa", "A97": "hPa", "KPA": "kPa", "MPA": "MPa", "BAR": "bar", "MBR": "mbar",
    "PS": "[psi]", "HN": "mm[Hg]", "ATM": "atm",
    # flow
    "MQH": "m3/h", "MQS": "m3/s", "G52": "m3/d", "L2": "L/min", "G51": "L/s", "E32": "L/h",
    "41": "mL/min", "KGS": "kg/s", "E93": "kg/h", "F31": "kg/min", "4W": "t/h",
    # electricity
    "VLT": "V", "2Z": "mV", "KVT": "kV", "AMP": "A", "4K": "mA", "B22": "kA", "B84": "uA",
    "OHM": "Ohm", "B49": "kOhm", "B75": "MOhm", "FAR": "F", "4O": "uF", "SIE": "S",
    "D10": "S/m", "B99": "uS", "G42": "uS/cm", "H61": "mS/cm", "D46": "V.A", "KVA": "kV.A",
    "D44": "V.A{reactive}", "KVR": "kV.A{reactive}", "AMH": "A.h",
    # power, energy
    "WTT": "W", "KWT": "kW", "MAW": "MW", "JOU": "J", "KJO": "kJ", "3B": "MJ", "GV": "GJ",
    "WHR": "W.h", "KWH": "kW.h", "MWH": "MW.h", "BHP": "[HP]", "D54": "W/m2",
    # ratios, counts, light, chemistry
    "P1": "%", "59": "[ppm]", "C62": "1", "E37": "{pixel}", "H87": "{piece}", "NMP": "{pack}",
    "PR": "{pair}", "2N": "dB", "LUX": "lx", "LUM": "lm", "CDL": "cd", "Q30": "[pH]",
    "MOL": "mol", "C36": "mol/m3", "C34": "mol", "M1": "mg/L", "GP": "mg/m3", "C65": "mPa.s",
    "4T": "pF", "C24": "mPa.s", "C17": "mm2/s", "D33": "T", "81": "H", "C41": "nF",
}  # fmt: skip
_WRITTEN = {
    "°C": "Cel", "℃": "Cel", "degC": "Cel", "°F": "[degF]", "°": "deg", "m³/h": "m3/h",
    "m3/hr": "m3/h", "m³": "m3", "m²": "m2", "m/s²": "m/s2", "µm": "um", "μm": "um", "µs": "us",
    "Ω": "Ohm", "kΩ": "kOhm", "rpm": "/min", "RPM": "/min", "r/min": "/min", "1/min": "/min",
    "1/s": "/s", "N·m": "N.m", "Nm": "N.m", "kWh": "kW.h", "Wh": "W.h", "MWh": "MW.h", "Ah": "A.h",
    "kVA": "kV.A", "VA": "V.A", "psi": "[psi]", "ppm": "[ppm]", "pH": "[pH]", "l/min": "L/min",
    "l": "L", "l/h": "L/h", "l/s": "L/s", "mmHg": "mm[Hg]", "pcs": "{piece}", "µS/cm": "uS/cm",
    "sec": "s", "hr": "h", "inch": "[in_i]", "hp": "[HP]", "bara": "bar", "barg": "bar",
    "kg/m³": "kg/m3", "mg/l": "mg/L", "g/cm³": "g/cm3", "mm²/s": "mm2/s",
}  # fmt: skip
_METRIC = (
    "m|g|s|A|K|mol|cd|rad|sr|Hz|N|Pa|J|W|C|V|F|Ohm|S|Wb|T|H|lm|lx|Bq|Gy|Sv|bar|L|l|eV|t|B|Gal|cal|"
    r"\[Hg\]|m\[Hg\]|m\[H2O\]"
)
_WHOLE = r"%|min|h|d|wk|a|deg|Cel|u|atm|\[(?:degF|psi|in_i|ft_i|gal_us|lb_av|HP|ppm|ppb|pH|g)\]"
_FACTOR = rf"(?:(?:da|[YZEPTGMkhdcmunpfazy])?(?:{_METRIC})|{_WHOLE}|10\*)"
_TERM = rf"(?:{_FACTOR}(?:[+-]?[0-9]{{1,2}})?(?:\{{[!-z|~]{{0,30}}\}})?|\{{[!-z|~]{{1,30}}\}}|1)"
_UCUM = re.compile(rf"^/?{_TERM}(?:[./]{_TERM}){{0,6}}$")


def ucum(unit: ua.EUInformation) -> str:
    """Give the UCUM code of a unit, or nothing when neither number nor text is known.

    Examples
    --------
    >>> ucum(ua.EUInformation(UnitId=4408652))
    'Cel'
    >>> ucum(ua.EUInformation(UnitId=-1, DisplayName=ua.LocalizedText("kg/m3")))
    'kg/m3'
    >>> ucum(ua.EUInformation(UnitId=-1, DisplayName=ua.LocalizedText("bushels")))
    ''
    """
    number = int(unit.UnitId)
    if number > 0:
        code = number.to_bytes(4, "big").lstrip(b"\0").decode("latin-1")
        if code in _UNECE:
            return _UNECE[code]
    text = str(unit.DisplayName.Text or "").strip()[:64]
    text = _WRITTEN.get(text, text)
    return text if _UCUM.match(text) else ""

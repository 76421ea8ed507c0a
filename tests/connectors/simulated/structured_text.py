"""As much of IEC 61131-3 Structured Text as the setpoint block needs, run word by word.

Not a controller: it checks the text's logic, not what a vendor's compiler makes of it. Unsigned
types wrap around at their end; a signed one that overflows is an error here.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

TOKEN = re.compile(
    r"\s*(16#[0-9A-Fa-f]+|\d+|:=|<>|<=|>=|\.\.|[A-Za-z_]\w*|[-+*/=<>()\[\],;:])", re.DOTALL
)
BITS = {"WORD": 16, "UINT": 16, "DWORD": 32, "UDINT": 32}
SIGNED = {"INT": 16, "DINT": 32}
BINDING = {
    "OR": 1, "XOR": 2, "AND": 3, "=": 4, "<>": 4, "<": 5, ">": 5, "<=": 5, ">=": 5,
    "+": 6, "-": 6, "*": 7, "/": 7, "MOD": 7,
}  # fmt: skip
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "OR": lambda a, b: a | b,
    "XOR": lambda a, b: a ^ b,
    "AND": lambda a, b: a & b,
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
    "MOD": lambda a, b: abs(a) % abs(b) * (1 if a >= 0 else -1),
}
Names = dict[str, Any]
Expression = Callable[[Names], Any]
Statement = Callable[[Names], None]


def fitted(kind: str, value: Any) -> Any:
    """Give a value as a variable of this type holds it."""
    if kind in BITS:
        return value % (1 << BITS[kind])
    if kind in SIGNED:
        half = 1 << SIGNED[kind] - 1
        if not -half <= value < half:
            raise OverflowError(f"{value} in a {kind}")
    return value


def converted(kind: str, value: int) -> int:
    """Give the bits of a value as another type (the standard's ``X_TO_Y``)."""
    if kind in BITS:
        return value % (1 << BITS[kind])
    half = 1 << SIGNED[kind] - 1
    return (value + half) % (2 * half) - half


@dataclass
class Unit:
    """A function or a function block."""

    name: str
    result: str
    types: dict[str, str] = field(default_factory=dict)
    initial: Names = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    body: list[Statement] = field(default_factory=list)


class Program:
    """All units of a text."""

    def __init__(self, text: str) -> None:
        bare = re.sub(r"\(\*.*?\*\)", " ", text, flags=re.DOTALL).strip()
        self._tokens = _tokens(bare)
        self._at = 0
        self.units: dict[str, Unit] = {}
        while self._at < len(self._tokens):
            unit = self._unit()
            self.units[unit.name] = unit

    def instance(self, name: str) -> "Instance":
        """Make a function block that keeps its variables from call to call."""
        return Instance(self.units[name])

    def _take(self, wanted: str = "") -> str:
        token = self._tokens[self._at]
        if wanted and token != wanted:
            raise SyntaxError(f"{token!r} where {wanted!r} should be")
        self._at += 1
        return token

    def _has(self, *wanted: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at] in wanted

    def _unit(self) -> Unit:
        kind = self._take()
        unit = Unit(self._take(), "")
        if kind == "FUNCTION":
            self._take(":")
            unit.result = unit.types[unit.name] = self._take()
            unit.initial[unit.name] = 0
        while self._has("VAR", "VAR_INPUT", "VAR_OUTPUT"):
            self._variables(unit)
        unit.body = list(self._statements(unit, f"END_{kind}"))
        self._take(f"END_{kind}")
        return unit

    def _variables(self, unit: Unit) -> None:
        section = self._take()
        if self._has("RETAIN"):
            self._take()
        while not self._has("END_VAR"):
            names = [self._take()]
            while self._has(","):
                self._take()
                names.append(self._take())
            self._take(":")
            kind, size = self._type()
            value: Any = False if kind == "BOOL" else 0
            if self._has(":="):
                self._take()
                value = self._expression()({})
            self._take(";")
            for name in names:
                unit.types[name] = kind
                unit.initial[name] = value if size is None else [value] * size
                unit.inputs += [name] if section == "VAR_INPUT" else []
        self._take("END_VAR")

    def _type(self) -> tuple[str, int | None]:
        if not self._has("ARRAY"):
            return self._take(), None
        for token in ("ARRAY", "[", "0", ".."):
            self._take(token)
        size = int(self._take()) + 1
        for token in ("]", "OF"):
            self._take(token)
        return self._take(), size

    def _statements(self, unit: Unit, *ends: str) -> Iterator[Statement]:
        while not self._has(*ends):
            yield self._statement(unit)

    def _statement(self, unit: Unit) -> Statement:
        word = self._take()
        if word == "IF":
            return self._if(unit)
        if word == "FOR":
            return self._for(unit)
        if word == "CASE":
            return self._case(unit)
        index = None
        if self._has("["):
            self._take()
            index = self._expression()
            self._take("]")
        self._take(":=")
        value = self._expression()
        self._take(";")
        kind = unit.types[word]

        def assign(names: Names) -> None:
            if index is None:
                names[word] = fitted(kind, value(names))
            else:
                names[word][index(names)] = fitted(kind, value(names))

        return assign

    def _if(self, unit: Unit) -> Statement:
        branches: list[tuple[Expression, list[Statement]]] = []
        condition = self._expression()
        self._take("THEN")
        while True:
            body = list(self._statements(unit, "ELSIF", "ELSE", "END_IF"))
            branches.append((condition, body))
            word = self._take()
            if word == "END_IF":
                self._take(";")
                break
            condition = (lambda names: True) if word == "ELSE" else self._expression()
            if word == "ELSIF":
                self._take("THEN")

        def choose(names: Names) -> None:
            run(next((body for when, body in branches if when(names)), []), names)

        return choose

    def _for(self, unit: Unit) -> Statement:
        name = self._take()
        self._take(":=")
        first = self._expression()
        self._take("TO")
        last = self._expression()
        self._take("DO")
        body = list(self._statements(unit, "END_FOR"))
        self._take("END_FOR")
        self._take(";")

        def repeat(names: Names) -> None:
            for number in range(first(names), last(names) + 1):
                names[name] = number
                run(body, names)

        return repeat

    def _case(self, unit: Unit) -> Statement:
        value = self._expression()
        self._take("OF")
        branches: dict[int, list[Statement]] = {}
        other: list[Statement] = []
        while not self._has("ELSE", "END_CASE"):
            number = int(self._take())
            self._take(":")
            body = branches[number] = []
            while not (self._has("ELSE", "END_CASE") or self._tokens[self._at].isdigit()):
                body.append(self._statement(unit))
        if self._has("ELSE"):
            self._take()
            other = list(self._statements(unit, "END_CASE"))
        self._take("END_CASE")
        self._take(";")
        return lambda names: run(branches.get(value(names), other), names)

    def _expression(self, least: int = 0) -> Expression:
        left = self._operand()
        while self._at < len(self._tokens) and BINDING.get(self._tokens[self._at], 0) > least:
            word = self._take()
            left = _both(OPERATIONS[word], left, self._expression(BINDING[word]))
        return left

    def _operand(self) -> Expression:
        word = self._take()
        if word == "(":
            inner = self._expression()
            self._take(")")
            return inner
        if word == "NOT":
            negated = self._operand()
            return lambda names: not negated(names)
        if word == "-":
            number = self._operand()
            return lambda names: -number(names)
        if word[0].isdigit():
            constant = int(word[3:], 16) if word.startswith("16#") else int(word)
            return lambda names: constant
        if word in ("TRUE", "FALSE"):
            return lambda names: word == "TRUE"
        if self._has("("):
            return self._call(word)
        if self._has("["):
            self._take()
            index = self._expression()
            self._take("]")
            return lambda names: names[word][index(names)]
        return lambda names: names[word]

    def _call(self, word: str) -> Expression:
        self._take("(")
        given = [self._expression()]
        while self._has(","):
            self._take()
            given.append(self._expression())
        self._take(")")
        target = word.rpartition("_TO_")[2]
        if target in BITS or target in SIGNED:
            return lambda names: converted(target, given[0](names))
        built_in = {"SHR": lambda a, n: a >> n, "SHL": lambda a, n: a << n, "ABS": abs}
        if word in built_in:
            return lambda names: built_in[word](*(one(names) for one in given))

        def called(names: Names) -> Any:
            unit = self.units[word]
            inner = _fresh(unit) | {
                name: one(names) for name, one in zip(unit.inputs, given, strict=True)
            }
            run(unit.body, inner)
            return inner[word]

        return called


class Instance:
    """A function block with its variables."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self.names = _fresh(unit)

    def call(self, **inputs: Any) -> None:
        """Call it once; variables keep their values."""
        self.names |= {name: fitted(self._unit.types[name], v) for name, v in inputs.items()}
        run(self._unit.body, self.names)


def run(body: list[Statement], names: Names) -> None:
    for statement in body:
        statement(names)


def _fresh(unit: Unit) -> Names:
    return {k: list(v) if isinstance(v, list) else v for k, v in unit.initial.items()}


def _both(operation: Callable[[Any, Any], Any], a: Expression, b: Expression) -> Expression:
    def both(names: Names) -> Any:
        result = operation(a(names), b(names))
        if not -(1 << 32) < result < 1 << 33:
            raise OverflowError(result)
        return result

    return both


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise SyntaxError(text[at : at + 40])
        tokens.append(found[1])
        at = found.end()
        while at < len(text) and text[at].isspace():
            at += 1
    return tokens

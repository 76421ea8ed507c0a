"""An address space whose names, texts and units are attempts at injection.

Run as a program it serves them and prints its port; it ends with its input.
"""

import asyncio
import json
import sys
from itertools import cycle, islice

from asyncua import Server, ua

SPACE = "urn:hostile"
CANARY = "INJECTED"
ATTEMPTS = (
    f"a\n{CANARY},plc,x",
    f'a","{CANARY}","',
    f"a';{CANARY};--",
    "a,b;c\td",
    f"=cmd|'/c {CANARY}'!A1",
    f"+{CANARY}",
    f"-{CANARY}",
    f"@SUM({CANARY})",
    "${HOME}",
    "${PATH:-" + CANARY + "}",
    "{{7*7}}",
    "../../etc/passwd",
    "..\\..\\windows",
    "/absolute",
    f"<script>window.{CANARY}=1</script>",
    f"<img src=x onerror=window.{CANARY}=1>",
    f"'\"><svg/onload=window.{CANARY}=1>",
    f"javascript:window.{CANARY}=1",
    f'}}\n# HELP {CANARY} x\n{CANARY}{{a="b"}} 1',
    f"\x1b[2J\x1b]0;{CANARY}\x07",
    "\x9b31mred",
    "a\rb",
    "a\x00b",
    "\u202egnp.exe",
    "\u2066\u200b\ufeffinvisible",
    "\u2028\u2029separators",
    "n" * 10_000,
    "名前 Größe Ω",
    " ",
    "#comment",
    f"[{CANARY}]\nkey = 1",
    "a/b/c",
    "\udcff\udc80",  # bytes that are no UTF-8
    "[bold red]rich[/]",
    "%s%n%x",
)
COUNT = 200


def names() -> list[str]:
    """Give 200 names, no two alike."""
    rounds = islice(cycle(ATTEMPTS), COUNT)
    return [f"{name}{i // len(ATTEMPTS) or ''}" for i, name in enumerate(rounds)]


async def main() -> None:
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0/hostile")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    space = await server.register_namespace(SPACE)
    line = await server.nodes.objects.add_object(ua.NodeId("Line", space), f"{space}:Line")
    for number, name in enumerate(names()):
        node = ua.NodeId(f"{number}{name[:400]}" if number % 2 else 1_000 + number, space)
        browse = ua.QualifiedName(name, space)
        value: object = name[:500] if number % 4 == 3 else float(number)
        variable = await line.add_variable(node, browse, value)
        text = ua.DataValue(ua.Variant(ua.LocalizedText(name, name[:20])))
        for attribute in (ua.AttributeIds.DisplayName, ua.AttributeIds.Description):
            await variable.write_attribute(attribute, text)
        unit = ua.EUInformation(NamespaceUri=name, DisplayName=ua.LocalizedText(name))
        await variable.add_property(
            ua.NodeId(f"{number}u", space), ua.QualifiedName("EngineeringUnits", 0), unit
        )
    await server.start()
    port = server.bserver._server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps(port) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main())

"""Text from strangers, made fit for messages, logs and terminals."""

LONGEST = 200


def plain(text: str, longest: int = LONGEST) -> str:
    r"""Write out what does not print, line ends and direction marks included, and cut it short.

    Parameters
    ----------
    longest
        Characters that are left.

    Examples
    --------
    >>> plain("CN=plc\x1b[2J\n"), plain("a" * 9, 4)
    ('CN=plc\\x1b[2J\\n', 'aaa…')
    """
    # Cut first: what is escaped may be ten times as long.
    short = text[: longest + 1]
    shown = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in short
    )
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"

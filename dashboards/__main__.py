"""``python -m dashboards``: write the files of the boards that are checked in."""

from pathlib import Path

from dashboards.provision import files

ROOM = Path(__file__).parent


def main() -> None:
    """Write them."""
    for name, text in files().items():
        path = ROOM / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""``python -m dashboards``: write the files of the boards that are checked in."""

from dashboards.collection import FOLDER, texts


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

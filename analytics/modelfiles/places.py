"""Where the models of an asset lie in a gateway's data folder."""

from pathlib import PurePath

from plant.errors import Misconfigured

BETWEEN = "|"
SUFFIX = ".wtm"


def model_folder(asset: str) -> PurePath:
    """Name the folder of an asset below that of all models.

    Examples
    --------
    >>> str(model_folder("plant/hall/line-1/pump-2"))
    'plant|hall|line-1|pump-2'
    """
    folder = asset.replace("/", BETWEEN)
    if folder in ("", ".", "..") or "\0" in folder or BETWEEN in asset:
        raise Misconfigured(f'"{asset}" is no path of an asset')
    return PurePath(folder)


def asset_of(folder: str) -> str:
    """Name the asset whose models lie in a folder of that name."""
    return folder.replace(BETWEEN, "/")


def version_in(file: PurePath) -> int | None:
    """Tell which version a file of an asset's folder is, by its name; None: it is no model file.

    Examples
    --------
    >>> version_in(PurePath("12.wtm"))
    12
    >>> version_in(PurePath("old.wtm"))
    """
    numbered = file.suffix == SUFFIX and file.stem.isascii() and file.stem.isdigit()
    return int(file.stem) if numbered else None

"""Chooses the energy threshold of images from detectors with several."""

from __future__ import annotations

import msgspec
import numpy as np

from iota.hdf5 import h5py


class Channel(msgspec.Struct, frozen=True):
    """One of several channels of each image."""

    index: int
    name: str  # as the file calls it; empty where it has no name
    n_channels: int

    def sentence(self) -> str:
        """Describe which channel was used."""
        name = self.name or f"number {self.index + 1}"
        return f"Each image has {self.n_channels} channels (thresholds); {name} is used."


def channel_of(group: h5py.Group, shape: tuple[int, ...]) -> Channel | None:
    """Return the channel to use of images `[channel, slow, fast]`; None if the first axis is not a channel.

    DECTRIS' FileWriter names channels in ``channel`` beside the images, and describes each in a group NAME_channel of
    the detector. The lowest threshold counts all photons; a difference of two does not.

    Args:
        group: the NXdata group.
        shape: of an image.
    """
    if len(shape) != 3:
        return None
    groups = _channel_groups(group.file)
    names = _names(group) or [name.removesuffix("_channel") for name in groups]
    if len(names) != shape[0]:
        return None
    energies = [_energy(groups.get(f"{name}_channel")) for name in names]
    index = min(range(len(names)), key=lambda k: (energies[k], k))
    return Channel(index, names[index], len(names))


def channel_group(file: h5py.File, channel: Channel) -> h5py.Group | None:
    """Return the group that describes a channel."""
    return _channel_groups(file).get(f"{channel.name}_channel")


def _names(group: h5py.Group) -> list[str]:
    found = group.get("channel")
    if not isinstance(found, h5py.Dataset) or found.ndim != 1:
        return []
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in found[()]]


def _channel_groups(file: h5py.File) -> dict[str, h5py.Group]:
    found: dict[str, h5py.Group] = {}

    def keep(path: str, item: object) -> None:
        name = path.rsplit("/", 1)[-1]
        if isinstance(item, h5py.Group) and name.endswith("_channel"):
            found[name] = item

    instrument = file.get("entry/instrument")
    if isinstance(instrument, h5py.Group):
        instrument.visititems(keep)
    return found


def _energy(group: h5py.Group | None) -> float:
    """Threshold in eV; the highest number for a difference of two, and where nothing is said."""
    value = group.get("threshold_energy") if group is not None else None
    if not isinstance(value, h5py.Dataset) or value.size != 1:
        return float("inf")
    return float(np.ravel(value[()])[0])

"""Compression filters of HDF5 images: whether this machine can read them, and what to do if it cannot."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from iota.hdf5 import h5py, plugin_problem


class Kind(msgspec.Struct, frozen=True):
    """A kind of compression; its name is that of a dataset in :data:`_CHUNKS`."""

    name: str
    number: int  # of the filter, as registered with the HDF Group


KINDS = (
    Kind("bitshuffle", 32008),
    Kind("bitshuffle with LZ4", 32008),
    Kind("bitshuffle with Zstandard", 32008),
    Kind("LZ4", 32004),
    Kind("Zstandard", 32015),
    Kind("Blosc", 32001),
    Kind("Blosc2", 32026),
    Kind("ZFP", 32013),
    Kind("bzip2", 307),
)
_N_CHUNK = 128  # numbers in each data set: 0 to 15, each 8 times

# An HDF5 file (libver="latest", no times) with one data set of each kind, written with hdf5plugin 7.1; deflated, in
# base 85. To write such data sets needs the filters, and the point is to find out whether they are there.
_CHUNKS = (
    "c-rk)eQZ-z6hHTU_4T{Z4cX?Td}t=JJ=Sdk!zi0u=^sS9bqLHD_R(%F+t|`}?jux+GddwIBZ?*%KB6cf0*hcY8k0p5jeo!tV}PI{qH!7{#DMW5W}"
    "f@{Ui;QbB87#SaJ%1m=bm@&efOPn?m74ES$BoYY{)jSq6lgmQ`)(Vcz>ZPUn1;!*j-W0I80%4ix%Am1_%H%ovIC5<LYy4%DB}qX>EC_xnEuq0YY%"
    "O3?U?@+*7Zt2?$*ZBlm2;<62qPxC#hE#OM-SI1dfMNI1~h)YR%<>InP&jzA>R5iXUa=3pey*-+5f-X^sKd)o8c>cgEuDXA?_$t5O_H}Q6qF$_aub"
    "XiIHh{}5>#TEl?{s9<E`Jpq%Bko@9RqJy2pSLL$3rtEZlxh}wmYvjCcyIqlFU2_;a}LVPzX!$`K*GT?>hKH@M0t%FGBtsffjyq<vErjiD+)KximZ"
    "aGS+a^(eSgEP*u6RSR(d0oR?mA|`nwK*C)mdgX@Y~fWC+Bc=Yg;cL?DaUbwb^#^QF)5X<EITTAhoo1Db0vo0m9Rdy5@S!PbaBbXC)%-ttg;XNMH<"
    "HI=OGXzgqct`AEMt?dmGIs`{bzV^njRPApL(w^VvlIQcp6${#Y6B6Acnz#R0P#9-Aw#&aj2GX~>oMT-%c+DXU<S+;p!6DFKIRZk55D|I=7Oos4!h"
    "|p*EDX%Rjo<+*{?hbF5A}#O+LH80Z#d$ce3zu|lKVBLS*w=!!Zhr<WAAgj(({NC{jU+|N7pbc#|t`9Z!nt77OM?*+ds`6ojJ-ybfrQm`D)X^riYe"
    "w?QTTzV}}}@0X9whFQE1(Q30*512kZ`QPxmFLxk5vi`HbVnzf(OE6fu&yQ-ZrOBF7!w-VgSk%|-%I8K?aKNej1w-F4P&8RO(--({&DiL-R*a-s7Y"
    "G)A~0&|mHK<E%6LXR*Yj0h9LjIa=hS(RqQiDuzM&DT{e@~M}yqq?M*oQcCys+&@ijifnM#f%CQy~$p3WF6Uf&4YICYj8G&>f8Kq5_|O{ihrd&)4{"
    "`juBJ7Gfj+9loTMU|d<OVOK0GZX(x1|vKMuOD0luV#hfhR8pEgk{Z60D3-KmLtF?1ypqq`Le%OT--B)ot`&>_)@NJKpny#a~Ah{R|@VlpE!TVfzu"
    ")L5Z2@;HK~A937cCfec!g3A`-%RYhqxu?@R--+=91g*eItQFH(Ge@)WsT{aVYV&Jdp8UcB{5kUC?81V=yJ1?D&DPu0!C%tJ!~2sV$B~yctN78ZFp"
    "uA?SUa+JRpvDgxkN4g7qwLnlA-(PhuJJ7Z_+Zcx|7N*NPa`L;ZZClv8`x@;W_BRSS8il@+Z~Hpu%s}u|`=oNM-Y>;z}w!APZMg;Tt$l-4&d1=oNZ"
    "9lRnw>E0UR)QMhm)6_$}S6G#SiY7r6SGTYD_>~MlUB~Mgp-hcaag?VwRe!Ofy>$1A4-5$`%FKdGdU*tu~u2Jj2xK9mD)BndOa+;Au*)jyqsg{DHJ"
    "S-}&aaUj>Mm?HneR<n$>NC`*^c8<^aCuP+)b)|8Y;q0{R^9T!IDTipGDS9wzs}hD&YAL>6)xa^vb4D1Fp4Ztv3RK$+;Yl#HFEJupc^0)&i}w1gaJ"
    "7&gah6a&?{HFoqhQuFdx}Fpr}0h9qdGQ8n9X0F2V=0Zp|;pewQnw1@fxrZh%{Ds<rakz>>nUHFtT}WW0aqX%q~@#<AT{bMKx&wwc+_ee(K>P*q`B"
    ")i*=$Uas5VEPkN>LeHJE9bZHSXWbU6T<jU7!(8r)^29%+<bO(SD?CcTko?{}mIzgQQt0TybGc(hZSe@B-pxwATN{qlulLo5e3_i8!{Uf7yxP+zG;"
    "(#Sj4!7LogJdu7v#S4K|^8+EJue;33WNGJ!QES4QaN20BAM!{r"
)

_BITSHUFFLE = 32008
_BITSHUFFLE_CODES = {0: "bitshuffle", 2: "bitshuffle with LZ4", 3: "bitshuffle with Zstandard"}
_OTHERS = {32017: "SZ", 32018: "FCIDECOMP", 32024: "SZ3", 32028: "SPERR", 32033: "HTJ2K"}  # in hdf5plugin too
_OF_HDF5 = {1: "gzip", 2: "shuffle", 3: "Fletcher32", 4: "szip", 5: "N-bit", 6: "scale-offset", 32000: "LZF"}


class Filter(msgspec.Struct, frozen=True):
    """A filter with which a dataset was written."""

    number: int
    name: str

    def __str__(self) -> str:
        return f"{self.number} ({self.name})" if self.name else str(self.number)


@lru_cache
def can_read(kind: Kind) -> bool:
    """Whether data of this kind can be decoded here, by decoding an example."""
    expected = np.arange(_N_CHUNK) // (_N_CHUNK // 16)
    with h5py.File(io.BytesIO(zlib.decompress(base64.b85decode(_CHUNKS))), "r") as file:
        try:
            return bool(np.array_equal(file[kind.name][()], expected))
        except (OSError, RuntimeError, ValueError):  # there is no such filter, or one that does not know this kind
            return False


def filters_of(dataset: Any) -> Iterator[Filter]:
    """Filters with which an h5py dataset was written; none for one whose pixels are in other files."""
    properties = dataset.id.get_create_plist()
    for position in range(properties.get_nfilters()):
        number, _, options, name = properties.get_filter(position)
        yield Filter(number, _name(number, options, name))


def _name(number: int, options: tuple[int, ...], name: bytes) -> str:
    if number == _BITSHUFFLE:
        code = options[4] if len(options) > 4 else 0  # after version (2), bytes per number, block size
        return _BITSHUFFLE_CODES.get(code, "bitshuffle")
    known = {kind.number: kind.name for kind in KINDS} | _OTHERS | _OF_HDF5
    own = name.decode("utf-8", "replace").partition(";")[0].strip()
    return known.get(number) or own


def missing_filter(dataset: Any) -> Filter | None:
    """The first missing filter without which a dataset cannot be read; None if all are available."""
    for one in filters_of(dataset):
        if not h5py.h5z.filter_avail(one.number):
            return one
        # a plugin of bitshuffle may have been built without Zstandard
        if any(kind.name == one.name and not can_read(kind) for kind in KINDS):
            return one
    return None


def remedy(number: int) -> str:
    """Sentence on how to get a filter."""
    if number in {kind.number for kind in KINDS} | _OTHERS.keys():
        if plugin_problem == "not installed":
            return "It comes with hdf5plugin: python -m pip install --no-deps hdf5plugin."
        return (
            "The installed hdf5plugin lacks it; reinstall it:"
            " python -m pip install --no-deps --force-reinstall hdf5plugin."
        )
    if number in _OF_HDF5:
        return "The installed HDF5 library was built without it."
    return "Set HDF5_PLUGIN_PATH to the folder of its plugin; the authors of the file know where to get it."

"""Finds how an image's colours become sRGB's, and converts them with littlecms.

Profiles are those of a few makers of cameras, screens and programs, so conversions are kept for the next image.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace

import numpy as np
import PIL.Image
from PIL import ImageCms

from hiseg.core.image import Floats, Pixels
from hiseg.images.colours.described import Described, describe_by_cicp, describe_by_gamma, light_to_srgb, roll_off
from hiseg.images.colours.matrix import to_srgb_primaries
from hiseg.images.colours.profile import MAX_PROFILE_BYTES, Profile, UnusableProfile, tidy, unpack
from hiseg.images.headers.header import Header

MAX_KEPT_CONVERSIONS = 16
"""Most conversions that are kept; one takes up to 2 MB, and none those that change nothing."""
MAX_QUICK_PROFILE_BYTES = 2**16
"""Profiles of up to so many bytes are looked up at once; larger ones never are sRGB's."""
CONVERSION_BYTES = 2**22
"""Bytes that littlecms takes beside the profile while it prepares a conversion."""
_MOST_INFLATED = 1040
"""Times its length that packed data can have at most."""
_MODES = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK"}
_UNNOTICED = 2
"""Most levels of 255 by which colours may change without being converted: writers' sRGB profiles differ by as much."""
_LEVELS = np.arange(256) / 255
_SRGB_LEVELS: Pixels = np.rint(255 * light_to_srgb(np.arange(2**16) / (2**16 - 1))).astype(np.uint8)
"""The level of sRGB, 0..255, of each amount of linear light 0..65,535."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What makes an image's colours sRGB; one without anything leaves them as they are.

    Attributes:
        described: colours that numbers describe; None if a profile does.
        matrix: float32 ``[3, 3]``, from the primaries of ``described`` to sRGB's; None if they are the same.
        transform: littlecms's, of a profile; None if there is none.
        mode: Pillow's name of the colour model that ``transform`` takes: ``L``, ``RGB`` or ``CMYK``.
        notes: what the caller should know of it.
    """

    described: Described | None = None
    matrix: Floats | None = None
    transform: ImageCms.ImageCmsTransform | None = None
    mode: str = "RGB"
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether it changes RGB."""
        return self.described is not None or self.transform is not None

    def apply(self, band: PIL.Image.Image) -> PIL.Image.Image:
        """Convert a part of an image, of 8 bits, to sRGB.

        Args:
            band: of the mode ``L``, ``RGB`` or ``CMYK``, as the image is.

        Returns:
            The same in mode ``RGB``.
        """
        if self.described is not None:
            return self.from_light(self.described.light(_LEVELS)[np.asarray(band)])
        if self.transform is None:
            return band if band.mode == "RGB" else band.convert("RGB")
        if band.mode != self.mode:
            band = band.getchannel(0) if self.mode == "L" else band.convert(self.mode)
        return self.transform.apply(band)

    def from_light(self, light: Floats) -> PIL.Image.Image:
        """Make sRGB, mode ``RGB``, of what :meth:`Described.light` gives: float32 ``[H, W]`` or ``[H, W, 3]``."""
        if self.matrix is not None and light.ndim == 3:
            light = light @ self.matrix.T
        if self.described is not None and self.described.is_hdr:
            light = roll_off(light)
        shown = _SRGB_LEVELS[np.rint(np.clip(light, 0, 1) * (len(_SRGB_LEVELS) - 1)).astype(np.uint16)]
        return PIL.Image.fromarray(shown).convert("RGB")


NO_CONVERSION = Conversion()


@dataclass(slots=True)
class _Kept:
    """The last conversions that were used, by profile; threads share it."""

    found: OrderedDict[bytes, Conversion] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: bytes) -> Conversion | None:
        with self.lock:
            if key in self.found:
                self.found.move_to_end(key)
            return self.found.get(key)

    def put(self, key: bytes, conversion: Conversion) -> None:
        with self.lock:
            self.found[key] = conversion
            if len(self.found) > MAX_KEPT_CONVERSIONS:
                self.found.popitem(last=False)


_KEPT = _Kept()


def is_quickly_found(data: bytes, header: Header) -> bool:
    """Whether the conversion is known already, so that :func:`find_conversion` takes no time; it is looked up."""
    if not header.profile:
        return True
    if sum(end - begin for begin, end in header.profile) > MAX_QUICK_PROFILE_BYTES or header.kind == "PNG":
        return False
    try:
        return _KEPT.get(_key(unpack(data, header), _mode(header))) is not None
    except UnusableProfile:
        return True


def conversion_bytes(data: bytes, header: Header) -> int:
    """Most bytes that :func:`find_conversion` takes at once."""
    packed = sum(end - begin for begin, end in header.profile)
    if not packed:
        return 0
    profile = min(MAX_PROFILE_BYTES, packed * (_MOST_INFLATED if header.kind == "PNG" else 1))
    return 5 * profile + CONVERSION_BYTES  # as it is, without what isn't needed, and littlecms's


def find_conversion(data: bytes, header: Header) -> Conversion:
    """Find how the colours of a file become sRGB's; a profile that can't be used is noted and left out."""
    described = describe_by_cicp(data, header)
    ignored: tuple[str, ...] = ()
    if described is None and header.profile:
        try:
            found = find_by_profile(unpack(data, header), _mode(header), header.is_grey)
        except UnusableProfile as error:
            found = _without(error)
        if found.changes or not found.notes:
            return found
        ignored = found.notes
    if described is None and b"sRGB" not in header.colours:
        described = describe_by_gamma(data, header)
    by_numbers = _by_description(described) if described and not described.is_srgb else NO_CONVERSION
    return replace(by_numbers, notes=ignored + by_numbers.notes)


def _by_description(described: Described) -> Conversion:
    matrix = to_srgb_primaries(described.primaries) if described.primaries else None
    notes = [f"colours converted from {described.name} to sRGB"]
    if described.is_hdr:
        notes.append("HDR: highlights are shown darker than they are, so that none is lost")
    return Conversion(described, matrix, notes=tuple(notes))


def find_by_profile(profile: bytes, mode: str, is_grey: bool) -> Conversion:
    """Find how colours of a profile become sRGB's; one that can't be used is noted and left out.

    Args:
        profile: an ICC profile.
        mode: Pillow's name of the image's colours, without transparency: ``L``, ``RGB`` or ``CMYK``.
        is_grey: whether the image has grey and no other colour.
    """
    key = _key(profile, mode)
    known = _KEPT.get(key)
    if known is None:
        try:
            known = _prepare(tidy(profile, mode), is_grey)
        except UnusableProfile as error:
            known = _without(error)
        _KEPT.put(key, known)
    return known


def _key(profile: bytes, mode: str) -> bytes:
    return mode.encode() + hashlib.blake2b(profile, digest_size=20).digest()


def _mode(header: Header) -> str:
    """Pillow's name of the colours of an image, without transparency: ``L``, ``RGB`` or ``CMYK``."""
    return _MODES.get(header.mode, "RGB")


def _prepare(profile: Profile, is_grey: bool) -> Conversion:
    """Let littlecms prepare the conversion of an image that has only grey, or colours too."""
    try:
        transform = _transform(profile)
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
        raise UnusableProfile("it is damaged") from error
    name = profile.name or "an unnamed colour profile"
    note = f"colours converted from {name} to sRGB"
    conversion = Conversion(transform=transform, mode=profile.mode, notes=(note,))
    return NO_CONVERSION if _is_unnoticed(conversion, is_grey) else conversion


def _transform(profile: Profile) -> ImageCms.ImageCmsTransform:
    """littlecms's conversion to sRGB, with ICC's intent "perceptual", which is what browsers choose."""
    return ImageCms.ImageCmsTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile.data)),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        profile.mode,
        "RGB",
        ImageCms.Intent.PERCEPTUAL,
        flags=ImageCms.Flags.NOCACHE,  # of the last colour alone, which photos seldom have twice
    )


def _is_unnoticed(conversion: Conversion, is_grey: bool) -> bool:
    """Whether no colour, or no grey, changes by more than one sees."""
    if conversion.mode == "CMYK":
        return False
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, len(levels), 3)
    greys = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3)
    for colours in (greys,) if is_grey else (greys, cube):
        changed = np.asarray(conversion.apply(PIL.Image.fromarray(colours)))
        if np.abs(changed.astype(int) - colours).max() > _UNNOTICED:
            return False
    return True


def _without(reason: UnusableProfile) -> Conversion:
    return replace(NO_CONVERSION, notes=(f"its colour profile was ignored: {reason}",))

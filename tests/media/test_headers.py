"""Sizes by hand-written readers, held against Pillow."""

import contextlib
import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from nbannot.errors import BrokenFileError
from nbannot.media.headers import exif_orientation, other_kind, scan
from nbannot.media.images import jpeg_orientation, probe_image

SIZES = st.tuples(st.integers(1, 300), st.integers(1, 300))
ORIENTATIONS = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])


def encode(mode, size, format, orientation=None, **options):
    """Return an image as bytes."""
    out = io.BytesIO()
    if orientation is not None:
        exif = Image.Exif()
        exif[0x010F] = "a maker"
        exif[0x0112] = orientation
        options["exif"] = exif
    Image.new(mode, size).save(out, format, **options)
    return out.getvalue()


def by_pillow(data):
    """Return size as displayed, and as stored, by Pillow alone."""
    with Image.open(io.BytesIO(data)) as image:
        if image.format == "TIFF":  # turned by Pillow as it loads
            stored = image.tag_v2[256], image.tag_v2[257]
            image.load()
            return image.size, stored
        return ImageOps.exif_transpose(image).size, image.size


def check(data, *, by_hand=True):
    """Hold our answer for an image against Pillow's; `by_hand`: it must not need Pillow."""
    info = probe_image(data)
    shown, stored = by_pillow(data)
    assert (info.width, info.height) == shown
    assert (info.stored_width, info.stored_height) == stored
    assert probe_image(io.BytesIO(data)) == info
    assert (scan(data[: 64 * 1024]) == info) == by_hand
    return info


@given(
    SIZES,
    st.sampled_from(["RGB", "L", "CMYK"]),
    ORIENTATIONS | st.none(),
    st.booleans(),
    st.sampled_from([b"", b"x" * 5, b"\xff\xda\xff\xc0" * 50]),
)
def test_jpeg(size, mode, orientation, progressive, comment):
    """Baseline and progressive, in colour, gray and CMYK, in all orientations."""
    options = {"comment": comment} if comment else {}
    info = check(encode(mode, size, "JPEG", orientation, progressive=progressive, **options))
    assert info.format == "JPEG"
    assert info.orientation == (orientation if orientation in range(1, 9) else 1)


@given(SIZES, st.sampled_from(["RGB", "RGBA", "L", "P", "1", "I;16"]), ORIENTATIONS | st.none())
def test_png(size, mode, orientation):
    """Every depth; EXIF in front of the pixels."""
    assert check(encode(mode, size, "PNG", orientation)).format == "PNG"


@given(SIZES, st.sampled_from(["RGB", "L", "P", "1"]))
def test_bmp(size, mode):
    """Every depth that Pillow writes."""
    assert check(encode(mode, size, "BMP")).format == "BMP"


@given(SIZES, st.booleans())
def test_gif(size, several):
    """One frame and several."""
    frames = [Image.new("L", size, 9)] if several else []
    info = check(encode("L", size, "GIF", save_all=several, append_images=frames))
    assert info.format == "GIF"


@given(SIZES, st.sampled_from(["RGB", "RGBA"]), st.booleans(), ORIENTATIONS | st.none())
def test_webp(size, mode, lossless, orientation):
    """Lossy, lossless, with transparency, with EXIF behind the pixels."""
    data = encode(mode, size, "WEBP", orientation, lossless=lossless, method=0)
    assert check(data).format == "WEBP"


@given(SIZES, st.sampled_from(["RGB", "L", "1", "F"]), ORIENTATIONS | st.none())
def test_tiff(size, mode, orientation):
    """Orientation as a tag of the image."""
    options = {"tiffinfo": {274: orientation}} if orientation else {}
    out = io.BytesIO()
    Image.new(mode, size).save(out, "TIFF", **options)
    assert check(out.getvalue()).format == "TIFF"


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_tiff_with_its_directory_behind_the_pixels(orientation):
    """Many programs write the directory last; then Pillow tells."""
    width, height = 300, 250
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 274: orientation}
    tags |= {277: 1, 278: height, 279: width * height}
    directory = struct.pack("<H", len(tags))
    directory += b"".join(struct.pack("<HHII", tag, 4, 1, n) for tag, n in tags.items())
    head = b"II*\0" + struct.pack("<I", 8 + width * height)
    data = head + bytes(width * height) + directory + bytes(4)
    info = check(data, by_hand=False)
    assert info == (
        *((250, 300) if orientation == 6 else (300, 250)),
        orientation,
        "TIFF",
        300,
        250,
    )


@pytest.mark.parametrize("orientation", [None, *range(1, 9)])
def test_avif(orientation):
    """AVIF, where Pillow has it, is Pillow's."""
    pytest.importorskip("PIL._avif")
    data = encode("RGB", (40, 30), "AVIF", orientation)
    assert check(data, by_hand=False).format == "AVIF"


def test_bmp_upside_down():
    """A negative height means rows from the top; the size is not negative."""
    data = bytearray(encode("RGB", (40, 30), "BMP"))
    data[22:26] = struct.pack("<i", -30)
    assert check(bytes(data))[:2] == (40, 30)


def test_os2_bmp():
    """The first header of BMP has sizes of 16 bits."""
    head = struct.pack("<2sIHHI", b"BM", 26 + 12, 0, 0, 26) + struct.pack("<IHHHH", 12, 2, 3, 1, 24)
    assert probe_image(head + bytes(24))[:2] == (2, 3)


class TestJpeg:
    """What real files have in front of their size."""

    JPEG = encode("RGB", (64, 48), "JPEG", 6)

    def insert(self, segments):
        """Return the JPEG with more segments at its start."""
        return self.JPEG[:2] + segments + self.JPEG[2:]

    def test_orientation_from_the_head(self):
        """The first bytes are enough."""
        assert jpeg_orientation(self.JPEG) == 6
        assert jpeg_orientation(self.JPEG[:900]) == 6
        assert jpeg_orientation(encode("RGB", (8, 8), "JPEG")) is None
        assert jpeg_orientation(b"") is None
        assert jpeg_orientation(b"\xff\xd8\xff") is None
        assert jpeg_orientation(b"hello, this is no image at all") is None

    def test_fill_bytes_and_lone_markers(self):
        """Any number of FF before a marker, and markers without a length."""
        data = self.insert(b"\xff\xff\xff\xfe\0\x04ab" + b"\xff\x01")
        assert probe_image(data)[:3] == (48, 64, 6)

    def test_exif_behind_the_frame(self):
        """EXIF that comes after the size still turns the image, as in a browser."""
        exif_at = self.JPEG.index(b"\xff\xe1")
        length = 2 + int.from_bytes(self.JPEG[exif_at + 2 : exif_at + 4], "big")
        exif, rest = self.JPEG[exif_at : exif_at + length], self.JPEG[exif_at + length :]
        scan_at = rest.index(b"\xff\xda")
        check(self.JPEG[:exif_at] + rest[:scan_at] + exif + rest[scan_at:])

    def test_much_in_front(self):
        """A colour profile of 200 kB in front of the size is left to Pillow."""
        data = self.insert((b"\xff\xe2" + (50_000).to_bytes(2, "big") + bytes(49_998)) * 4)
        assert check(data, by_hand=False)[:3] == (48, 64, 6)

    def test_xmp_does_not_turn_it(self):
        """Browsers turn by EXIF, not by XMP, and so do we (Pillow turns by both)."""
        xmp = b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation='6'/>"
        plain = encode("RGB", (64, 48), "JPEG")
        data = plain[:2] + b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp + plain[2:]
        assert probe_image(data)[:3] == (64, 48, 1)

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("kind", [3, 4])
    def test_exif_in_both_byte_orders(self, order, kind):
        """EXIF may be little or big endian, and its orientation of 16 or 32 bits."""
        mark = b"II*\0" if order == "<" else b"MM\0*"
        value = struct.pack(order + ("HH" if kind == 3 else "I"), *((8, 0) if kind == 3 else (8,)))
        tiff = mark + struct.pack(order + "IHHHI", 8, 1, 0x0112, kind, 1) + value + bytes(4)
        assert exif_orientation(tiff) == 8

    @given(st.binary(max_size=200))
    def test_any_exif(self, tiff):
        """EXIF may hold anything; the image is still an image."""
        assert exif_orientation(tiff) in {None, *range(1, 9)}
        assert exif_orientation(b"II*\0\x08\0\0\0" + tiff) in {None, *range(1, 9)}

    def test_height_told_later(self):
        """A height of 0 is told after the first scan (DNL): not by us, and not as 0."""
        data = bytearray(encode("RGB", (64, 48), "JPEG"))
        frame = data.index(b"\xff\xc0")
        data[frame + 5 : frame + 7] = b"\0\0"
        assert scan(bytes(data)) is None
        with pytest.raises(BrokenFileError):
            probe_image(bytes(data))


class TestPng:
    """Chunks between the size and the pixels."""

    def chunk(self, kind, data):
        """Return a chunk."""
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    def test_text_in_front(self):
        """Text of any length that fits the head is skipped."""
        notes = PngImagePlugin.PngInfo()
        notes.add_text("Comment", "x" * 30_000)
        assert check(encode("RGB", (64, 48), "PNG", 6, pnginfo=notes))[:3] == (48, 64, 6)

    def test_much_in_front(self):
        """Text beyond the head is left to Pillow."""
        png = encode("RGB", (64, 48), "PNG")
        data = png[:33] + self.chunk(b"tEXt", b"a\0" + b"x" * 100_000) + png[33:]
        assert check(data, by_hand=False)[:2] == (64, 48)

    def test_no_pixels(self):
        """A PNG that ends before its pixels is broken or told by Pillow, but ends."""
        png = encode("RGB", (64, 48), "PNG")
        assert scan(png[:33] + self.chunk(b"IEND", b"")) is None


@pytest.mark.parametrize(("width", "height"), [(65_535, 65_535), (1, 0), (0, 1)])
def test_sizes_that_are_none(width, height):
    """S34: a header may claim anything; more than 2 billion pixels, or none, are no image."""
    data = bytearray(encode("RGB", (64, 48), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    with pytest.raises(BrokenFileError, match=f"a.gif claims .*{width:,} x {height:,}"):
        probe_image(bytes(data), "a.gif")


@given(st.sampled_from(["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF"]), st.data())
def test_any_damage(format, data):
    """Whatever bytes are wrong or missing, the answer is a size or an error of our own."""
    image = bytearray(encode("RGB", (40, 30), format, 6 if format in ("JPEG", "PNG") else None))
    place = data.draw(st.integers(0, min(len(image) - 1, 300)))
    image[place : place + 4] = data.draw(st.binary(max_size=8))
    image = image[: data.draw(st.integers(0, len(image)))]
    with contextlib.suppress(BrokenFileError):
        info = probe_image(bytes(image))
        assert min(info[:2]) > 0


@given(st.binary(max_size=300))
def test_any_bytes(data):
    """Bytes that are no image are none."""
    with pytest.raises(BrokenFileError):
        probe_image(data)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\xef\xbb\xbf  <!DOCTYPE HTML>", "an HTML page"),
        (b"<html>", "an HTML page"),
        (b"<?xml version='1.0'?><svg xmlns=", "SVG"),
        (b"<svg width='1'>", "SVG"),
        (b"<?xml version='1.0'?><annotation>", "XML"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "PostScript"),
        (b"\xc5\xd0\xd3\xc6\0\0", "PostScript"),
        (b"%PDF-1.7", "PDF"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
        (b'{"error": "not found"}', "JSON"),
        (b"\xff\xd8\xff\xe0", ""),
        (b"", ""),
    ],
)  # fmt: skip
def test_what_else_it_may_be(data, kind):
    """A file that is no image is called what it is."""
    assert other_kind(data).startswith(kind)
    assert bool(other_kind(data)) == bool(kind)
    if kind:
        with pytest.raises(BrokenFileError, match=kind):
            probe_image(data, "a.jpg")

import io
import os
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

from nbannot.errors import BrokenFileError, NbannotError, SourceError
from nbannot.media import images
from nbannot.media.images import (
    FORMATS,
    probe_image,
    probe_source_image,
    probe_source_images,
    take_probed,
    thumbnail,
    thumbnails,
)
from nbannot.sources import open_source


@pytest.fixture(params=["simplejpeg", "Pillow"])
def decoder(request, monkeypatch):
    """Run with simplejpeg, and as if it were not installed."""
    if request.param == "Pillow":
        monkeypatch.setattr(images, "simplejpeg", None)
    elif images.simplejpeg is None:
        pytest.skip("simplejpeg is not installed")
    return request.param


def encode(image, format="JPEG", **options):
    """Return an image as bytes."""
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def corners(width=320, height=240):
    """Return an image that is red at the top left, green right of it, blue below, white else."""
    image = Image.new("RGB", (width, height), "white")
    image.paste("red", (0, 0, width // 2, height // 2))
    image.paste("lime", (width // 2, 0, width, height // 2))
    image.paste("blue", (0, height // 2, width // 2, height))
    return image


def opened(data):
    """Return the decoded image."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_thumbnails_are_turned(decoder, orientation):
    """D33: all 8 orientations show what exif_transpose shows."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(corners(), quality=95, exif=exif)
    small = opened(thumbnail(data, 80))
    shown = ImageOps.exif_transpose(opened(data)).resize(small.size)
    assert max(small.size) == 80
    assert small.format == "JPEG"
    assert np.abs(np.asarray(small, float) - np.asarray(shown, float)).mean() < 6
    info = probe_image(data)
    assert (info.width > info.height) == (small.width > small.height)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_is_turned_once(format, orientation):
    """Whether Pillow turns a format by itself or not, the red corner comes out where it belongs."""
    if format not in FORMATS:
        pytest.skip(f"this Pillow has no {format}")
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {274: orientation}} if format == "TIFF" else {"exif": exif}
    data = encode(corners(), format, **options)
    small = opened(thumbnail(data, 80)).convert("RGB")
    assert small.size == ((80, 60) if orientation < 5 else (60, 80))
    right, bottom = small.width - 10, small.height - 10
    # Where the first pixel of the file is displayed, by the orientation.
    places = {1: (10, 10), 2: (right, 10), 3: (right, bottom), 4: (10, bottom)}
    places |= {5: (10, 10), 6: (right, 10), 7: (right, bottom), 8: (10, bottom)}
    red, green, blue = small.getpixel(places[orientation])
    assert red > 200
    assert max(green, blue) < 60
    assert probe_image(data).orientation == orientation


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2), (161, 160), (640, 480)])
def test_sizes(decoder, size):
    """The longest side fits; small images stay as they are; no side becomes 0."""
    small = opened(thumbnail(encode(Image.new("RGB", size, "teal")), 160))
    assert max(small.size) == min(160, max(size))
    assert min(small.size) >= 1


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "GIF"])
def test_every_format(format):
    """Each format on the list can be shown."""
    small = opened(thumbnail(encode(corners(), format), 64))
    assert small.size == (64, 48)
    assert small.getpixel((2, 2))[0] > 200


def test_cmyk_keeps_its_colours(decoder):
    """CMYK comes out as the colours that Pillow gives."""
    data = encode(corners().convert("CMYK"))
    small = opened(thumbnail(data, 320)).convert("RGB")
    red, green, blue = small.getpixel((20, 20))
    assert red > 180
    assert max(green, blue) < 90


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_transparency_is_kept(mode):
    """An image with transparency becomes a PNG with transparency."""
    image = corners(200, 100).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 100, 50))
    if mode == "P":
        data = encode(image.convert("RGB").convert("P"), "PNG", transparency=0)
    else:
        data = encode(image.convert(mode) if mode != "PA" else image, "PNG")
    small = opened(thumbnail(data, 50))
    assert (small.format, small.mode, small.size) == ("PNG", "RGBA", (50, 25))
    if mode != "P":
        assert small.getpixel((2, 2))[3] == 0
        assert small.getpixel((40, 20))[3] == 255


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_images_are_spread(mode):
    """Values of 16 and more bits become a picture from black to white, whatever their range."""
    values = np.linspace(100, 400, 64 * 48).reshape(48, 64)
    kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
    data = encode(Image.fromarray(values.astype(kind)), "TIFF")
    gray = np.asarray(opened(thumbnail(data, 64)).convert("L"), int)
    assert gray[0, 0] < 10
    assert gray[-1, -1] > 245


@pytest.mark.parametrize("value", [0, 7, np.nan, np.inf])
def test_a_deep_image_of_one_value(value):
    """One value, or no number at all, is a black picture, not an error."""
    data = encode(Image.fromarray(np.full((48, 64), value, np.float32)), "TIFF")
    assert opened(thumbnail(data, 64)).size == (64, 48)


def test_palettes_and_bits():
    """Images of one bit and of a palette, and the first of several frames."""
    assert opened(thumbnail(encode(corners().convert("1"), "PNG"), 64)).size == (64, 48)
    frames = [Image.new("P", (32, 32), k) for k in range(3)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert opened(thumbnail(data, 64)).size == (32, 32)


def test_large_images_are_not_decoded(monkeypatch):
    """S34: more than 64 million pixels have a size, but no preview."""
    monkeypatch.setattr(images, "MAX_PREVIEW_PIXELS", 1000)
    data = encode(corners())
    assert probe_image(data)[:2] == (320, 240)
    with pytest.raises(
        BrokenFileError, match=r"a\.jpg of 320 x 240 pixels is too large to preview"
    ):
        thumbnail(data, 64, "a.jpg")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_damaged_pixels_are_an_error(decoder, format):
    """A file that is cut in its pixels has a size, and no thumbnail."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8))
    data = encode(noise, format)
    with pytest.raises(BrokenFileError, match=r"a\.img"):
        thumbnail(data[: len(data) // 3], 64, "a.img")


def test_other_decoders_are_never_asked(monkeypatch):
    """S33: only the formats on the list are tried: no EPS, so no Ghostscript."""
    assert set(FORMATS) <= {"JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"}
    monkeypatch.setitem(os.environ, "PATH", "")
    eps = encode(corners(), "EPS")
    for data in (eps, b"\n" + eps, encode(corners(), "PPM"), encode(corners(), "TGA")):
        with pytest.raises(BrokenFileError):
            probe_image(data)
        with pytest.raises(BrokenFileError):
            thumbnail(data, 64)


def test_opening_images_loads_no_other_decoder():
    """Pillow's other plugins are not even imported."""
    import subprocess

    code = (
        "import sys, io; from PIL import Image; out = io.BytesIO();"
        "Image.new('L', (9, 9)).save(out, 'TIFF');"
        "from nbannot.media.images import probe_image, thumbnail;"
        "thumbnail(out.getvalue(), 5);"
        "print('PIL.EpsImagePlugin' in sys.modules)"
    )
    code = code.replace("from PIL import Image; ", "from PIL import Image, TiffImagePlugin; ")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


class TestSource:
    """Images of a source, from as few bytes as will do."""

    @pytest.fixture
    def source(self, tmp_path):
        """Make a folder of images, plain and odd."""
        corners().save(tmp_path / "a.jpg")
        corners().save(tmp_path / "b.png")
        icc = bytes(200_000)
        corners().save(tmp_path / "profile.jpg", icc_profile=icc)
        corners(9, 5).save(tmp_path / "tiny.tif")
        exif = Image.Exif()
        exif[0x0112] = 6
        noise = np.random.default_rng(0).integers(0, 255, (400, 600, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "late.webp", lossless=True, exif=exif)
        (tmp_path / "empty.jpg").write_bytes(b"")
        (tmp_path / "page.jpg").write_bytes(b"<!doctype html>" + b" " * 20_000)
        return open_source(tmp_path)

    def test_sizes(self, source):
        """Every image tells its size, wherever in the file it stands."""
        found = {
            name: probe_source_image(source, name)
            for name in source.files
            if name[0] != "e" and name[:2] != "pa"
        }
        assert {name: info[:2] for name, info in found.items()} == {
            "a.jpg": (320, 240), "b.png": (320, 240), "late.webp": (400, 600),
            "profile.jpg": (320, 240), "tiny.tif": (9, 5),
        }  # fmt: skip
        assert found["late.webp"].orientation == 6

    def test_only_the_head_is_read(self, source, monkeypatch):
        """A plain image is told by its first bytes; it is not opened as a whole."""
        monkeypatch.setattr(source, "open", None)
        assert probe_source_image(source, "a.jpg")[:2] == (320, 240)
        assert probe_source_image(source, "b.png")[:2] == (320, 240)

    def test_errors_name_the_file(self, source):
        """What is wrong is told with the path in the source."""
        with pytest.raises(BrokenFileError, match=r"empty\.jpg is an empty file"):
            probe_source_image(source, "empty.jpg")
        with pytest.raises(BrokenFileError, match=r"page\.jpg is an HTML page"):
            probe_source_image(source, "page.jpg")
        with pytest.raises(SourceError, match="There is no file"):
            probe_source_image(source, "gone.jpg")

    def test_many_are_as_one(self, source):
        """Many at a time give what each gives alone; an error does not stop the others."""
        names = [*source.files, "gone.jpg", "a.jpg"]
        for name, found in zip(names, probe_source_images(source, names), strict=True):
            if isinstance(found, NbannotError):
                with pytest.raises(type(found)) as error:
                    probe_source_image(source, name)
                assert str(error.value) == str(found)
            else:
                assert found == probe_source_image(source, name)

    def test_what_is_remembered_is_told_once(self, source):
        """Nothing is remembered unasked; what is, is forgotten when it has been told."""
        list(probe_source_images(source, ["a.jpg"]))
        assert take_probed(source) == {}
        list(probe_source_images(source, ["a.jpg", "empty.jpg"], remember=True))
        list(probe_source_images(source, ["b.png"], remember=True))
        found = take_probed(source)
        assert {name: info[:2] for name, info in found.items()} == {
            "a.jpg": (320, 240), "b.png": (320, 240),
        }  # fmt: skip
        assert take_probed(source) == {}


@pytest.mark.parametrize("workers", [1, 2])
def test_many_thumbnails_with_reasons(workers):
    """A page of thumbnails has a place for each image, and a reason for each that has none."""

    def gone():
        raise SourceError("There is no file 'x.jpg' in pets")

    def disk():
        raise OSError(5, "Input/output error")

    data = encode(corners())
    readers = [lambda: data, None, lambda: b"no image", gone, lambda: data, disk]
    pictures, reasons = thumbnails(readers, 64, workers)
    assert [bool(picture) for picture in pictures] == [True, False, False, False, True, False]
    assert pictures[0] == pictures[4] == thumbnail(data, 64)
    assert reasons[0] == reasons[1] == reasons[4] == ""
    assert "no image that can be read" in reasons[2]
    assert reasons[3] == "There is no file 'x.jpg' in pets"
    assert "Input/output error" in reasons[5]
    assert thumbnails([], 64) == ([], [])

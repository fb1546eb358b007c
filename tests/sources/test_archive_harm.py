import stat
import tarfile
import zipfile

import pytest

from nbannot.errors import BrokenFileError, UnsafeSourceError
from nbannot.sources import Limits, open_source
from tests.sources.archives import MIB, deflated_zeros, raw_zip, tar_header, tar_of, zip_of


class TestHarm:
    """What would do harm when unpacked is refused as a whole, by name."""

    NAMES = (
        "../up.txt", "/etc/x", "a/../../up", "C:/x", "c:x", "a\\..\\..\\up", "\\\\host\\x", "//h/x",
        "..", "a/..",
    )  # fmt: skip

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("make", [zip_of, tar_of])
    def test_names_that_escape(self, tmp_path, name, make):
        """S2: no name leads out of the dataset, nothing beside it is read."""
        path = make(
            tmp_path / ("a.zip" if make is zip_of else "a.tar"), {"ok.txt": b"", name: b"x"}
        )
        with pytest.raises(UnsafeSourceError) as caught:
            _ = open_source(path).files
        assert name.replace("\\", "\\\\") in str(caught.value) or name in str(caught.value)
        with pytest.raises(UnsafeSourceError):
            open_source(path).read("ok.txt")
        assert [p.name for p in tmp_path.iterdir()] == [path.name]

    def test_nul_in_a_name(self, tmp_path):
        """The check and the open would see different names."""
        (tmp_path / "a.zip").write_bytes(raw_zip([(b"images/ok.png\0.py", b"\3\0", 0)]))
        with pytest.raises(UnsafeSourceError, match=r"ok\.png.*NUL"):
            _ = open_source(tmp_path / "a.zip").files

    def test_encrypted_members(self, tmp_path):
        """An archive with a password is refused; nothing is asked, nothing half read."""
        data = bytearray(raw_zip([(b"a.png", b"\3\0", 0), (b"b.png", b"\3\0", 0)]))
        data[data.rindex(b"PK\1\2") + 8] |= 1
        (tmp_path / "a.zip").write_bytes(data)
        with pytest.raises(UnsafeSourceError, match=r"b\.png is encrypted"):
            _ = open_source(tmp_path / "a.zip").files

    def test_a_sibling_with_the_same_beginning(self, tmp_path):
        """S3: /data-evil is not inside /data."""
        (tmp_path / "data-evil").mkdir()
        (tmp_path / "data-evil/x").write_text("secret")
        (tmp_path / "data").mkdir()
        path = zip_of(tmp_path / "data/a.zip", {"../data-evil/x": b"x"})
        with pytest.raises(UnsafeSourceError):
            _ = open_source(path).files

    @pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK])
    def test_links_and_devices_in_a_zip(self, tmp_path, kind):
        """S4: a member is a file or a folder."""
        info = zipfile.ZipInfo("images/link.png")
        info.external_attr = (kind | 0o777) << 16
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(info, "/etc/passwd")
        with pytest.raises(UnsafeSourceError, match=r"images/link\.png is a"):
            _ = open_source(tmp_path / "a.zip").files

    LINKS = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)

    @pytest.mark.parametrize("kind", [*LINKS, tarfile.GNUTYPE_SPARSE])
    def test_links_and_devices_in_a_tar(self, tmp_path, kind):
        """S4: links, devices, pipes and sparse files are refused, whatever Python would do."""
        info = tarfile.TarInfo("labels/1.txt")
        info.type, info.linkname = kind, "/etc/passwd"
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            archive.addfile(info)
        with pytest.raises(UnsafeSourceError, match=r"labels/1\.txt is a"):
            _ = open_source(tmp_path / "a.tar").files

    def test_pax_sparse_files(self, tmp_path):
        """A sparse file in pax records is refused too."""
        info = tarfile.TarInfo("big.bin")
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": str(1 << 40)}
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            archive.addfile(info)
        with pytest.raises(UnsafeSourceError, match="sparse"):
            _ = open_source(tmp_path / "a.tar").files

    @pytest.mark.parametrize(
        "size", [((1 << 96) - 512).to_bytes(12, "big"), b"-0000000512\0", b"\x80" + b"\x7f" * 11]
    )
    @pytest.mark.parametrize("kind", [b"0", b"5", b"L", b"x"])
    def test_sizes_that_are_none(self, tmp_path, size, kind):
        """S9, CVE-2025-8194: a negative or absurd size ends in an error, not in a loop."""
        data = tar_header("a.txt", b"%011o\0" % 0) + tar_header("b.txt", size, kind) + bytes(1024)
        (tmp_path / "a.tar").write_bytes(data)
        with pytest.raises(BrokenFileError, match="byte 512"):
            _ = open_source(tmp_path / "a.tar").files

    @pytest.mark.parametrize(
        "said",
        [
            b"13 size=-512\n",
            b"9" * 900 + b" hdrcharset=x",
            b"0 a=b\n",
            b"99 path=a\n",
            b"-5 path=a\n",
            b"7 path\n",
            b"22 size=" + b"9" * 30,
        ],
    )
    def test_pax_records_that_are_none(self, tmp_path, said):
        """CVE-2024-6232 and its like: a record that is damaged is an error at once."""
        header = tar_header("x", b"%011o\0" % len(said), b"x") + said.ljust(1024, b"\0")
        if len(said) <= 512:
            header = header[:1024]
        (tmp_path / "a.tar").write_bytes(header + tar_header("b", b"%011o\0" % 0) + bytes(1024))
        with pytest.raises(BrokenFileError, match="byte"):
            _ = open_source(tmp_path / "a.tar").files

    def test_a_name_of_a_gigabyte(self, tmp_path):
        """A name record can't be used to fill the memory."""
        (tmp_path / "a.tar").write_bytes(tar_header("x", b"%011o\0" % (1 << 30), b"L") + bytes(512))
        with pytest.raises(BrokenFileError, match="a name of"):
            _ = open_source(tmp_path / "a.tar").files

    @pytest.mark.parametrize("quote", [2, 1000])
    def test_members_that_overlap(self, tmp_path, quote):
        """S5, CVE-2024-0450: members that share their bytes make a small file any size."""
        data = deflated_zeros(MIB)
        (tmp_path / "a.zip").write_bytes(raw_zip([(b"a.png", data, MIB)], quote))
        with pytest.raises(UnsafeSourceError, match="overlaps another member"):
            _ = open_source(tmp_path / "a.zip").files

    def test_members_that_quote_one_another(self, tmp_path):
        """S5: one member may not begin inside another either."""
        data = bytearray(raw_zip([(b"a.png", b"\3\0" * 40, 0), (b"b.png", b"\3\0", 0)]))
        second = data.rindex(b"PK\1\2")
        data[second + 42 : second + 46] = (20).to_bytes(4, "little")
        (tmp_path / "a.zip").write_bytes(data)
        with pytest.raises((UnsafeSourceError, BrokenFileError)):
            _ = open_source(tmp_path / "a.zip").files


class TestLimits:
    """R2: limits hold for the bytes that are produced, and the message says how to raise them."""

    def test_ratio(self, tmp_path):
        """A member that unpacks to a thousand times its size is stopped after 64 MiB."""
        stream = deflated_zeros(100 * MIB)
        (tmp_path / "a.zip").write_bytes(raw_zip([(b"big.png", stream, 100 * MIB)]))
        source = open_source(tmp_path / "a.zip")
        with pytest.raises(UnsafeSourceError, match=r"big\.png .*1,000 times.*Limits\(ratio="):
            source.read("big.png")
        with pytest.raises(UnsafeSourceError):
            source.open("big.png")

    def test_ratio_can_be_raised(self, tmp_path):
        """A user who trusts the source raises the limit as the message says."""
        (tmp_path / "a.zip").write_bytes(
            raw_zip([(b"big.png", deflated_zeros(70 * MIB), 70 * MIB)])
        )
        source = open_source(tmp_path / "a.zip", limits=Limits(ratio=2000))
        with pytest.raises(BrokenFileError, match="CRC"):  # the test's own zip has none
            source.read("big.png")

    @pytest.mark.parametrize("make", [zip_of, tar_of])
    def test_one_member(self, tmp_path, make):
        """A member of more than `member_bytes` is not read."""
        path = make(tmp_path / ("a.zip" if make is zip_of else "a.tar"), {"a.bin": bytes(5000)})
        source = open_source(path, limits=Limits(member_bytes=4000))
        with pytest.raises(UnsafeSourceError, match=r"a\.bin unpacks to .*Limits\(member_bytes="):
            source.read("a.bin")
        with pytest.raises(UnsafeSourceError), source.open("a.bin") as stream:
            stream.read()

    @pytest.mark.parametrize("make", [zip_of, tar_of])
    def test_all_together(self, tmp_path, make):
        """All members together have a limit; reading one again does not count again."""
        files = {f"{i}.bin": bytes([i]) * 1000 for i in range(5)}
        path = make(tmp_path / ("a.zip" if make is zip_of else "a.tar"), files)
        source = open_source(path, limits=Limits(total_bytes=3500))
        for _ in range(10):
            source.read("0.bin")
        with pytest.raises(UnsafeSourceError, match=r"Limits\(total_bytes="):
            dict(source.read_many(source.files))

    @pytest.mark.parametrize("make", [zip_of, tar_of])
    def test_members(self, tmp_path, make):
        """There may be so many members, and no more."""
        path = make(
            tmp_path / ("a.zip" if make is zip_of else "a.tar"), {str(i): b"" for i in range(9)}
        )
        assert len(open_source(path, limits=Limits(members=9)).files) == 9
        with pytest.raises(UnsafeSourceError, match=r"more than 8 files.*Limits\(members="):
            _ = open_source(path, limits=Limits(members=8)).files

    def test_a_compressed_tar(self, tmp_path):
        """A bomb around a tar is stopped while it is unpacked."""
        path = tmp_path / "a.tgz"
        head = tar_header("a.bin", b"%011o\0" % (100 * MIB))
        path.write_bytes(
            b"\x1f\x8b\x08\0\0\0\0\0\2\xff" + _stored(head) + deflated_zeros(100 * MIB)
        )
        with pytest.raises(UnsafeSourceError, match=r"1,000 times.*Limits\(ratio="):
            _ = open_source(path).files
        with pytest.raises(UnsafeSourceError, match=r"Limits\(total_bytes="):
            _ = open_source(path, limits=Limits(total_bytes=10 * MIB)).files


def _stored(data):
    return (
        b"\0" + len(data).to_bytes(2, "little") + (len(data) ^ 0xFFFF).to_bytes(2, "little") + data
    )

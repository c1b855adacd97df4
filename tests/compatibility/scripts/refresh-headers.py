"""What a refresh reads in image headers that no tool writes: odd versions, sizes, offsets, truncated ones."""

import os
import struct

from compat import active_pool, connect, step, write_file
from image_headers import BACKING_FORMAT as FORMAT
from image_headers import END_OF_EXTENSIONS as END
from image_headers import at, extension, qcow

c = connect()
pool = active_pool(c, "p")


def put(name, content):
    """One image at a time: some make the refresh fail, which stops the pool."""
    path = write_file("p/" + name, content)
    if step(name + ": refresh", pool.refresh, 0) == 0:
        for made in pool.listAllVolumes(0):
            step(name + ": document", made.XMLDesc, 0)
            step(name + ": info", made.info)
    os.unlink(path)
    if not pool.isActive():
        pool.create(0)


put("qcow2-v2", qcow(2))
put("qcow2-v3", qcow(3))
put("qcow2-v4", qcow(4))
put("qcow2-v0", qcow(0))
put("qcow2-other-byte", qcow(3, magic=b"QFIx"))
for bits in (1, 2, 4, 8, 16, 32, 64, 1 << 63, 0xFF):
    put("qcow2-incompatible-%x" % bits, qcow(3, incompatible=bits))
    put("qcow2-compatible-%x" % bits, qcow(3, compatible=bits))
put("qcow2-crypt-1", qcow(2, crypt=1))
put("qcow2-crypt-2", qcow(2, crypt=2))
put("qcow2-crypt-3", qcow(2, crypt=3))
put("qcow2-v3-crypt-2", qcow(3, crypt=2))
put("qcow2-size-0", qcow(3, size=0))
put("qcow2-size-max", qcow(3, size=(1 << 64) - 1))
put("qcow2-size-odd", qcow(3, size=12345))
for bits in (0, 8, 9, 12, 21, 22, 31, 32, 63, 64, 255):
    put("qcow2-cluster-bits-%d" % bits, qcow(3, cluster_bits=bits))
put("qcow2-backing", qcow(3, backing=b"/nowhere/base"))
put("qcow2-backing-v2", qcow(2, backing=b"/nowhere/base"))
put("qcow2-backing-raw", qcow(3, backing=b"/nowhere/base", extensions=extension(FORMAT, b"raw") + END))
put("qcow2-backing-qcow2", qcow(3, backing=b"/nowhere/base", extensions=extension(FORMAT, b"qcow2") + END))
put("qcow2-backing-qed", qcow(3, backing=b"/nowhere/base", extensions=extension(FORMAT, b"qed") + END))
put("qcow2-backing-unknown-format", qcow(3, backing=b"/nowhere/base", extensions=extension(FORMAT, b"strange") + END))
put("qcow2-backing-iso-format", qcow(3, backing=b"/nowhere/base", extensions=extension(FORMAT, b"iso") + END))
put("qcow2-backing-empty-format", qcow(3, backing=b"/nowhere/base", extensions=extension(FORMAT, b"") + END))
put("qcow2-backing-dir-format", qcow(3, backing=b"/nowhere/base", extensions=extension(FORMAT, b"dir") + END))
put("qcow2-backing-other-extension", qcow(3, backing=b"/nowhere/base", extensions=extension(0x6803F857, b"x" * 48) + extension(FORMAT, b"qcow2") + END))
put("qcow2-backing-after-end", qcow(3, backing=b"/nowhere/base", extensions=END + extension(FORMAT, b"qcow2")))
put("qcow2-backing-v2-format", qcow(2, backing=b"/nowhere/base", extensions=extension(FORMAT, b"qcow2") + END))
put("qcow2-extension-too-long", qcow(3, backing=b"/nowhere/base", extensions=struct.pack(">II", FORMAT, 0x7FFFFFFF)))
put("qcow2-extension-wraps", qcow(3, backing=b"/nowhere/base", extensions=struct.pack(">II", 1, 0xFFFFFFF8) + extension(FORMAT, b"qcow2")))
put("qcow2-backing-offset-far", qcow(3, backing=b"/nowhere/base", backing_offset=40000))
put("qcow2-backing-size-0", qcow(3, backing=b"/nowhere/base", backing_size=0))
put("qcow2-backing-size-1023", qcow(3, backing=b"/" + b"b" * 1022))
put("qcow2-backing-size-1024", qcow(3, backing=b"/" + b"b" * 1023))
put("qcow2-backing-size-huge", qcow(3, backing=b"/nowhere/base", backing_size=0xFFFFFFFF))
put("qcow2-backing-nul", qcow(3, backing=b"/nowhere\0/base"))
put("qcow2-backing-utf8", qcow(3, backing="/nirgends/ü日".encode()))
put("qcow2-backing-markup", qcow(3, backing=b"/a<b>&'\"c"))
put("qcow2-backing-control", qcow(3, backing=b"/a\x01b\tc\nd"))
put("qcow2-header-112", qcow(3, header=112, backing=b"/nowhere/base", extensions=extension(FORMAT, b"qcow2") + END))
put("qcow2-header-0", qcow(3, header=104, backing=b"/nowhere/base")[:100] + struct.pack(">I", 0) + bytes(2000))
put("qcow2-header-huge", qcow(3)[:100] + struct.pack(">I", 0xFFFFFFFF) + bytes(2000))
for length in (0, 1, 3, 4, 7, 8, 20, 24, 31, 32, 35, 36, 71, 72, 79, 80, 103, 104, 111, 112, 512):
    put("qcow2-cut-%d" % length, qcow(3)[:length])
put("qcow-v1", at((0, b"QFI\xfb" + struct.pack(">IQIIQ", 1, 0, 0, 0, 3 << 20))))
put("qcow-v1-crypt", at((0, b"QFI\xfb" + struct.pack(">IQIIQBBHI", 1, 0, 0, 0, 3 << 20, 12, 9, 0, 1))))
put("qcow-v1-backing", at((0, b"QFI\xfb" + struct.pack(">IQIIQ", 1, 100, 8, 0, 3 << 20)), (100, b"/nowhere")))
put("qed", at((0, b"QED\0" + struct.pack("<IIIQQQQ", 65536, 4, 1, 0, 0, 0, 65536)), (48, struct.pack("<Q", 5 << 20))))
put("qed-backing", at((0, b"QED\0"), (16, struct.pack("<Q", 1)), (48, struct.pack("<QII", 5 << 20, 100, 8)), (100, b"/nowhere")))
put("qed-backing-raw", at((0, b"QED\0"), (16, struct.pack("<Q", 5)), (48, struct.pack("<QII", 5 << 20, 100, 8)), (100, b"/nowhere")))
put("qed-no-backing-bit", at((0, b"QED\0"), (16, struct.pack("<Q", 4)), (48, struct.pack("<QII", 5 << 20, 100, 8)), (100, b"/nowhere")))
for version in (1, 2, 3, 4, 0):
    put("vmdk-v%d" % version, at((0, b"KDMV" + struct.pack("<IIQ", version, 3, 4096))))
put("vmdk-parent", at((0, b"KDMV" + struct.pack("<IIQ", 1, 3, 4096)), (512, b'# Disk DescriptorFile\nversion=1\nparentCID=12345678\nparentFileNameHint="/nowhere/parent.vmdk"\n')))
put("vmdk-parent-relative", at((0, b"KDMV" + struct.pack("<IIQ", 1, 3, 4096)), (512, b'parentFileNameHint="parent.vmdk"\n')))
put("vmdk-parent-unfinished", at((0, b"KDMV" + struct.pack("<IIQ", 1, 3, 4096)), (512, b'parentFileNameHint="parent.vmdk')))
put("vmdk-parent-empty", at((0, b"KDMV" + struct.pack("<IIQ", 1, 3, 4096)), (512, b'parentFileNameHint=""\n')))
put("vmdk-text", b'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\n')
put("vdi", at((64, b"\x7f\x10\xda\xbe" + struct.pack("<I", 0x00010001)), (368, struct.pack("<Q", 7 << 20))))
put("vdi-other-version", at((64, b"\x7f\x10\xda\xbe" + struct.pack("<I", 0x00010002)), (368, struct.pack("<Q", 7 << 20))))
put("vpc", at((0, b"conectix"), (12, struct.pack(">I", 0x10000)), (40, struct.pack(">Q", 9 << 20))))
put("vpc-other-version", at((0, b"conectix"), (12, struct.pack(">I", 0x20000)), (40, struct.pack(">Q", 9 << 20))))
put("vpc-at-end", bytes(4096) + at((0, b"conectix"), (12, struct.pack(">I", 0x10000)), (40, struct.pack(">Q", 9 << 20)), size=512))
put("ploop", at((0, b"WithouFreSpacExt"), (36, struct.pack("<Q", 4096))))
put("ploop-other", at((0, b"WithoutFreeSpace"), (36, struct.pack("<Q", 4096))))
put("cow", at((0, b"OOOM" + struct.pack(">I", 2)), (1036, struct.pack(">Q", 11 << 20))))
put("cow-backing", at((0, b"OOOM" + struct.pack(">I", 2)), (8, b"/nowhere/base"), (1036, struct.pack(">Q", 11 << 20))))
put("cow-v1", at((0, b"OOOM" + struct.pack(">I", 1)), (1036, struct.pack(">Q", 11 << 20))))
put("iso", at((32769, b"CD001"), size=65536))
put("iso-short", at((32769, b"CD001"), size=32774))
put("iso-cut", at((32769, b"CD00"), size=32773))
put("iso-and-qcow2", at((32769, b"CD001"), (0, qcow(3)[:512]), size=65536))
put("luks-v1", at((0, b"LUKS\xba\xbe" + struct.pack(">H", 1)), (104, struct.pack(">I", 8)), size=8192))
put("luks-v2", at((0, b"LUKS\xba\xbe" + struct.pack(">H", 2)), (104, struct.pack(">I", 8)), size=8192))
put("luks-v3", at((0, b"LUKS\xba\xbe" + struct.pack(">H", 3)), (104, struct.pack(">I", 8)), size=8192))
put("luks-payload-beyond", at((0, b"LUKS\xba\xbe" + struct.pack(">H", 1)), (104, struct.pack(">I", 1000)), size=8192))
put("bochs", at((0, b"Bochs Virtual HD Image"), (64, struct.pack("<II", 0x10000, 512))))
put("cloop", at((0, b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n")))
put("dmg", at((0, b"\0")) + b"koly")
put("vhdx", at((0, b"vhdxfile")))
put("zeros", bytes(65536))

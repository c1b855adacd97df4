"""Image headers made by hand."""

import struct

BACKING_FORMAT = 0xE2792ACA
END_OF_EXTENSIONS = bytes(8)


def at(*parts, size=4096):
    """Bytes with each (offset, bytes) part laid in."""
    content = bytearray(size)
    for offset, part in parts:
        if len(content) < offset + len(part):
            content.extend(bytes(offset + len(part) - len(content)))
        content[offset : offset + len(part)] = part
    return bytes(content)


def qcow(version, size=1 << 20, backing=b"", crypt=0, magic=b"QFI\xfb", backing_offset=256, cluster_bits=16, incompatible=0, compatible=0, header=104, extensions=b"", backing_size=None):
    parts = [(0, magic + struct.pack(">I", version))]
    parts.append((8, struct.pack(">QI", backing_offset if backing else 0, len(backing) if backing_size is None else backing_size)))
    parts.append((20, struct.pack(">IQI", cluster_bits, size, crypt)))
    if version >= 3:
        parts.append((72, struct.pack(">QQQII", incompatible, compatible, 0, 4, header)))
    parts.append((header if version >= 3 else 72, extensions))
    parts.append((backing_offset, backing))
    return at(*parts, size=65536)


def extension(kind, data):
    return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

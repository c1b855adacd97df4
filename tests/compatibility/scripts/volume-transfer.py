"""Upload and download: plain and sparse, offset and length, what the file and the volume are afterwards, refusals."""

import os

import libvirt

from compat import WORK, active_pool, connect, connect_read_only, digest, fact, file_facts, image_facts, noise, qemu_img, raw_volume, step, volume, wait_for, write_file

SPARSE = 1
MIB = 1 << 20
c = connect()
pool = active_pool(c, "p")


def upload(made, content, offset=0, length=0, flags=0):
    stream = c.newStream(0)
    made.upload(stream, offset, length, flags)
    position = [0]

    def more(stream, count, opaque):
        piece = content[position[0] : position[0] + count]
        position[0] += len(piece)
        return piece

    stream.sendAll(more, None)
    stream.finish()
    return position[0]


def download(made, offset=0, length=0, flags=0):
    stream = c.newStream(0)
    made.download(stream, offset, length, flags)
    pieces = []
    stream.recvAll(lambda stream, data, opaque: pieces.append(data), None)
    stream.finish()
    return b"".join(pieces)


def sparse_upload(made, path, offset=0, length=0):
    stream = c.newStream(0)
    made.upload(stream, offset, length, SPARSE)
    descriptor = os.open(path, os.O_RDONLY)
    size = os.fstat(descriptor).st_size

    def more(stream, count, opaque):
        return os.read(descriptor, count)

    def in_hole(stream, opaque):
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        if position >= size:
            return (False, 0)
        try:
            data = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError:
            data = size
        if data > position:
            os.lseek(descriptor, position, os.SEEK_SET)
            return (False, data - position)
        hole = os.lseek(descriptor, position, os.SEEK_HOLE)
        os.lseek(descriptor, position, os.SEEK_SET)
        return (True, hole - position)

    def skip(stream, count, opaque):
        return os.lseek(descriptor, count, os.SEEK_CUR)

    stream.sparseSendAll(more, in_hole, skip, None)
    stream.finish()
    os.close(descriptor)


def sparse_download(made, offset=0, length=0):
    stream = c.newStream(0)
    made.download(stream, offset, length, SPARSE)
    parts = []
    stream.sparseRecvAll(lambda stream, data, opaque: parts.append((0, data)), lambda stream, hole, opaque: parts.append((hole, b"")), None)
    stream.finish()
    runs = []
    for hole, data in parts:
        if not hole and runs and not runs[-1][0]:
            runs[-1][1] += data
        else:
            runs.append([hole, bytearray(data)])
    return tuple("hole %d" % hole if hole else "data %d %s" % (len(data), digest_of(bytes(data))) for hole, data in runs)


def digest_of(data):
    import hashlib

    return hashlib.sha256(data).hexdigest()


def after(label, made):
    fact(label + ": file", file_facts(made.path()))
    step(label + ": info", made.info)
    step(label + ": document", made.XMLDesc, 0)


made = pool.createXML(raw_volume("v", 4 * MIB, 0), 0)
content = noise(3 * MIB)
step("upload", upload, made, content)
after("upload", made)
step("download", download, made)
step("download a length", download, made, 0, 1000)
step("download from an offset", download, made, 3 * MIB - 500)
step("download a piece", download, made, 12345, 70000)
step("download more than there is", download, made, 4 * MIB - 10, 100)
step("download from the end", download, made, 4 * MIB)
step("download from behind the end", download, made, 5 * MIB)
step("download zero from an offset", download, made, 100, 0)
step("upload at an offset", upload, made, b"offset", 100)
after("upload at an offset", made)
exact = pool.createXML(raw_volume("exact", MIB, 0), 0)
step("upload exactly a length", upload, exact, b"l" * 200, 0, 200)
after("upload exactly a length", exact)
step("upload less than the length", upload, exact, b"m" * 100, 0, 200)
after("upload less than the length", exact)
step("upload nothing", upload, made, b"")
after("upload nothing", made)
step("upload over the end", upload, made, b"e" * 100, 4 * MIB - 50)
after("upload over the end", made)
step("upload behind the end", upload, made, b"b" * 100, 5 * MIB)
after("upload behind the end", made)

# A volume takes the format of what was written into it.
source = WORK + "/image.qcow2"
qemu_img("create", "-q", "-f", "qcow2", source, "8M")
image = pool.createXML(raw_volume("image", MIB, 0), 0)
step("upload an image", upload, image, open(source, "rb").read())
fact("the pool is refreshed", wait_for(lambda: "qcow2" in image.XMLDesc(0)))
after("upload an image", image)

# Sparse
hollow = write_file("hollow", size=4 * MIB)
with open(hollow, "r+b") as file:
    file.seek(MIB)
    file.write(noise(65536))
    file.seek(3 * MIB)
    file.write(noise(65536))
target = pool.createXML(raw_volume("sparse", 4 * MIB, 0), 0)
with open(target.path(), "r+b") as file:
    file.seek(MIB)
    file.write(noise(65536))
    file.seek(3 * MIB)
    file.write(noise(65536))
step("sparse download", sparse_download, target)
step("sparse download of a piece", sparse_download, target, MIB - 4096, 65536)
step("sparse download in a hole", sparse_download, target, 2 * MIB, 65536)
step("sparse download from the end", sparse_download, target, 4 * MIB)
empty = pool.createXML(raw_volume("empty", MIB, 0), 0)
step("sparse download of a hole", sparse_download, empty)
whole = pool.createXML(raw_volume("whole", MIB, MIB), 0)
upload(whole, noise(MIB))
step("sparse download without holes", sparse_download, whole)
over = pool.createXML(raw_volume("over", 4 * MIB, 0), 0)
step("sparse upload", sparse_upload, over, hollow)
fact("sparse upload: content", digest(over.path()) == digest(hollow))
after("sparse upload", over)
dirty = pool.createXML(raw_volume("dirty", 4 * MIB, 4 * MIB), 0)
upload(dirty, noise(4 * MIB))
step("sparse upload over data", sparse_upload, dirty, hollow)
fact("sparse upload over data: content", digest(dirty.path()) == digest(hollow))
fact("sparse upload over data: size", os.stat(dirty.path()).st_size)

# Refusals
step("upload seek too far", upload, made, b"x", 1 << 62)
step("download seek too far", download, made, 1 << 62)
step("upload offset beyond", upload, made, b"x", (1 << 63) - 1)
for flags in (2, 3, 0x40):
    step("upload flags %d" % flags, upload, made, b"x", 0, 0, flags)
    step("download flags %d" % flags, download, made, 0, 0, flags)
gone = pool.createXML(raw_volume("gone"), 0)
os.unlink(gone.path())
step("upload to a file that is gone", upload, gone, b"x")
step("download from a file that is gone", download, gone)
directory = pool.createXML(volume("directory", "dir", 0), 0)
step("upload to a directory", upload, directory, b"x")
fresh = pool.createXML(raw_volume("deleted"), 0)
fresh.delete(0)
step("upload to a deleted volume", upload, fresh, b"x")
step("download from a deleted volume", download, fresh)
read_only = connect_read_only()
ro = read_only.storageVolLookupByPath(made.path())


def ro_call(name):
    stream = read_only.newStream(0)
    getattr(ro, name)(stream, 0, 0, 0)


step("read-only upload", ro_call, "upload")
step("read-only download", ro_call, "download")


def aborted_upload():
    stream = c.newStream(0)
    made.upload(stream, 0, 0, 0)
    stream.send(b"a" * 1000)
    stream.abort()


def aborted_download():
    stream = c.newStream(0)
    made.download(stream, 0, 0, 0)
    stream.recv(1000)
    stream.abort()


step("aborted upload", aborted_upload)
step("aborted download", aborted_download)
step("the volume is usable", made.info)
step("the connection is usable", c.numOfStoragePools)
pool.destroy()
step("upload in an inactive pool", upload, made, b"x")
step("download in an inactive pool", download, made)

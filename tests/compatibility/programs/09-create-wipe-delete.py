#!/usr/bin/python3
"""Makes a volume, writes into it, reads it back, wipes it and deletes it."""

import hashlib
import os
import sys

import libvirt

connection = libvirt.open("qemu:///system")
path = os.path.join(sys.argv[1], "scratch")
pool = connection.storagePoolDefineXML("<pool type='dir'><name>scratch</name><target><path>%s</path></target></pool>" % path)
pool.build()
pool.create()
content = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(40000))
volume = pool.createXML("<volume><name>secret.img</name><capacity>%d</capacity></volume>" % len(content))

stream = connection.newStream()
volume.upload(stream, 0, len(content))
pieces = [content[start : start + 100000] for start in range(0, len(content), 100000)]
stream.sendAll(lambda stream, count, left: left.pop(0) if left else b"", pieces)
stream.finish()

received = bytearray()
stream = connection.newStream()
volume.download(stream, 0, 0)
stream.recvAll(lambda stream, data, into: into.extend(data), received)
stream.finish()
print("read back:", bytes(received) == content, len(received))
print("on disk:", open(volume.path(), "rb").read() == content)
volume.wipe()
print("wiped:", set(open(volume.path(), "rb").read()) == {0}, os.stat(volume.path()).st_size == len(content))
volume.wipePattern(libvirt.VIR_STORAGE_VOL_WIPE_ALG_ZERO)
print("info:", volume.info())
volume.delete()
print("deleted:", os.listdir(path), pool.listVolumes())
pool.destroy()
pool.delete()
pool.undefine()
print("gone:", os.path.exists(path))

"""URIs: which are opened on this socket, and which error others get."""

import os

from compat import URI, connect, fact, step

SOCKET = URI.rpartition("socket=")[2]


def opened(label, uri, read_only=False):
    import libvirt

    def call():
        connection = libvirt.openReadOnly(uri) if read_only else libvirt.open(uri)
        facts = [connection.getType(), connection.numOfStoragePools()]
        connection.close()
        return facts

    step(label, call)


opened("qemu system", "qemu+unix:///system?socket=" + SOCKET)
opened("qemu system read-only on the read-write socket", "qemu+unix:///system?socket=" + SOCKET, True)
opened("qemu system on the read-only socket", "qemu+unix:///system?socket=" + SOCKET + "-ro")
opened("qemu system default socket", "qemu:///system")
opened("qemu system default socket read-only", "qemu:///system", True)
opened("unknown path", "qemu+unix:///nope?socket=" + SOCKET)
opened("no path", "qemu+unix://?socket=" + SOCKET)
opened("root path", "qemu+unix:///?socket=" + SOCKET)
opened("unknown driver", "foo+unix:///system?socket=" + SOCKET)
opened("host in the URI", "qemu+unix://host/system?socket=" + SOCKET)
opened("missing socket", "qemu+unix:///system?socket=" + SOCKET + ".nope")
opened("unknown parameter", "qemu+unix:///system?zz=1&socket=" + SOCKET)
opened("name parameter", "qemu+unix:///other?name=qemu:///system&socket=" + SOCKET)
opened("bad name parameter", "qemu+unix:///system?name=zz:///y&socket=" + SOCKET)
opened("storage system", "storage+unix:///system?socket=" + SOCKET)
opened("storage system read-only", "storage+unix:///system?socket=" + SOCKET + "-ro", True)
opened("storage unknown path", "storage+unix:///nope?socket=" + SOCKET)
opened("storage root path", "storage+unix:///?socket=" + SOCKET)
opened("secret system", "secret+unix:///system?socket=" + SOCKET)
fact("the daemon lives", connect().numOfStoragePools())

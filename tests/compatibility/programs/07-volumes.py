#!/usr/bin/python3
"""Makes volumes of several formats, finds them again by name, key and path, and deletes them."""

import os
import subprocess
import sys

import libvirt

libvirt.registerErrorHandler(lambda context, error: None, None)
connection = libvirt.open("qemu:///system")
path = os.path.join(sys.argv[1], "volumes")
pool = connection.storagePoolCreateXML(
    "<pool type='dir'><name>volumes</name><target><path>%s</path></target></pool>" % path, libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD
)
TEMPLATE = """<volume>
  <name>%s</name>
  <capacity unit='MiB'>%d</capacity>
  <allocation>0</allocation>
  <target><format type='%s'/></target>
</volume>"""
for name, size, form in (("a.img", 5, "raw"), ("b.qcow2", 100, "qcow2"), ("c.vmdk", 10, "vmdk"), ("d.vdi", 10, "vdi"), ("e.vpc", 10, "vpc")):
    volume = pool.createXML(TEMPLATE % (name, size, form))
    seen = subprocess.run(["qemu-img", "info", volume.path()], capture_output=True, text=True, check=True).stdout
    print(name, [line for line in seen.split("\n") if line.startswith(("file format", "virtual size"))])
print(pool.numOfVolumes(), sorted(pool.listVolumes()))
for volume in sorted(pool.listAllVolumes(), key=lambda volume: volume.name()):
    assert pool.storageVolLookupByName(volume.name()).key() == volume.key()
    assert connection.storageVolLookupByKey(volume.key()).name() == volume.name()
    assert connection.storageVolLookupByPath(volume.path()).path() == volume.path()
    assert volume.storagePoolLookupByVolume().name() == "volumes"
for bad in ("a.img", "x/y"):
    try:
        pool.createXML(TEMPLATE % (bad, 1, "raw"))
    except libvirt.libvirtError as error:
        print(error.get_error_code(), error)
try:
    pool.createXML(TEMPLATE % ("f", 1, "nosuch"))
except libvirt.libvirtError as error:
    print(error.get_error_code(), error)
overlay = pool.createXML(
    "<volume><name>overlay</name><capacity unit='MiB'>100</capacity><target><format type='qcow2'/></target>"
    "<backingStore><path>%s/b.qcow2</path><format type='qcow2'/></backingStore></volume>" % path
)
print([line.strip() for line in overlay.XMLDesc().split("\n") if "backing" in line or "b.qcow2" in line])
pool.storageVolLookupByName("a.img").resize(10 << 20)
print(pool.storageVolLookupByName("a.img").info()[1])
for volume in pool.listAllVolumes():
    volume.delete()
print(pool.listVolumes(), os.listdir(path))
pool.destroy()

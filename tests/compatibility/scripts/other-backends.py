"""Pools of the types that no test machine has storage for: every call that does not need it."""

import libvirt

from compat import WORK, connect, fact, raw_volume, step

c = connect()
HOST = "<host name='h.invalid'/>"
T = "<target><path>%s/target</path></target>" % WORK
KINDS = {
    "fs": "<device path='/dev/nope'/>",
    "netfs": HOST + "<dir path='/d'/>",
    "logical": "<name>novg</name>",
    "disk": "<device path='/dev/nope'/>",
    "iscsi": HOST + "<device path='iqn.a'/>",
    "scsi": "<adapter name='host99'/>",
    "rbd": HOST + "<name>n</name>",
    "gluster": HOST + "<name>n</name>",
    "iscsi-direct": HOST + "<device path='iqn.b'/><initiator><iqn name='i'/></initiator>",
    "zfs": "<name>tank</name>",
    "mpath": "",
}
for kind, source in KINDS.items():
    pool = step(kind + ": define", c.storagePoolDefineXML, "<pool type='%s'><name>p</name><uuid>5e7a1f00-0000-0000-0000-000000000001</uuid><source>%s</source>%s</pool>" % (kind, source, T), 0)
    if pool is None:
        continue
    step(kind + ": is active", pool.isActive)
    step(kind + ": is persistent", pool.isPersistent)
    step(kind + ": info", pool.info)
    step(kind + ": document", pool.XMLDesc, 0)
    step(kind + ": inactive document", pool.XMLDesc, 1)
    step(kind + ": set autostart", pool.setAutostart, 1)
    step(kind + ": autostart", pool.autostart)
    step(kind + ": clear autostart", pool.setAutostart, 0)
    step(kind + ": stop", pool.destroy)
    step(kind + ": refresh", pool.refresh, 0)
    step(kind + ": names", pool.listVolumes)
    step(kind + ": volumes", pool.listAllVolumes, 0)
    step(kind + ": create a volume", pool.createXML, raw_volume("v"), 0)
    step(kind + ": lookup by name", c.storagePoolLookupByName, "p")
    step(kind + ": listed inactive", c.listAllStoragePools, libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE)
    step(kind + ": redefine", c.storagePoolDefineXML, pool.XMLDesc(0), 0)
    step(kind + ": undefine", pool.undefine)
    step(kind + ": is gone", pool.info)
fact("left", c.listAllStoragePools(0))

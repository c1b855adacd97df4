"""Pools of the two types that Debian's libvirtd has no backend for: vstorage and sheepdog."""

from compat import connect, step

c = connect()
VSTORAGE = "<pool type='vstorage'><name>v</name><uuid>5e7a1f00-0000-0000-0000-000000000001</uuid><source><name>cluster</name></source><target><path>/x</path></target></pool>"
SHEEPDOG = "<pool type='sheepdog'><name>s</name><uuid>5e7a1f00-0000-0000-0000-000000000002</uuid><source><host name='localhost' port='7000'/><name>vms</name></source></pool>"
for kind, document in (("vstorage", VSTORAGE), ("sheepdog", SHEEPDOG)):
    step(kind + ": create", c.storagePoolCreateXML, document, 0)
    step(kind + ": define", c.storagePoolDefineXML, document, 0)
    step(kind + ": list", c.listAllStoragePools, 0)
    step(kind + ": document", lambda: c.listAllStoragePools(0)[0].XMLDesc(0) if c.listAllStoragePools(0) else None)
    step(kind + ": start", lambda: c.listAllStoragePools(0)[0].create(0) if c.listAllStoragePools(0) else None)
    step(kind + ": find sources", c.findStoragePoolSources, kind, None, 0)
    for pool in c.listAllStoragePools(0):
        pool.undefine()

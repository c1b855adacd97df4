"""Starting, building and deleting pools of the types whose storage is missing."""

from compat import WORK, connect, fact, step

c = connect()
HOST = "<host name='127.0.0.1'/>"
T = "<target><path>%s/target</path></target>" % WORK
KINDS = {
    "fs": "<device path='/dev/nope'/>",
    "logical": "<name>novg</name>",
    "disk": "<device path='/dev/nope'/>",
    "scsi": "<adapter name='host99'/>",
}
for kind, source in KINDS.items():
    document = "<pool type='%s'><name>p</name><source>%s</source>%s</pool>" % (kind, source, T)
    step(kind + ": create", c.storagePoolCreateXML, document, 0)
    fact(kind + ": left after create", c.listAllStoragePools(0))
    pool = step(kind + ": define", c.storagePoolDefineXML, document, 0)
    if pool is None:
        continue
    step(kind + ": start", pool.create, 0)
    step(kind + ": is active", pool.isActive)
    if pool.isActive():
        pool.destroy()
    step(kind + ": undefine", pool.undefine)
pool = c.storagePoolDefineXML("<pool type='zfs'><name>p</name><source><name>tank</name></source></pool>", 0)
step("zfs: start", pool.create, 0)

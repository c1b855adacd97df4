"""Every pool call in every state a pool can be in: inactive, active, transient, with a pending definition, gone."""

import libvirt

from compat import WORK, connect, defined_pool, dir_pool, active_pool, fact, raw_volume, step, transient_pool

c = connect()


def inactive(name):
    return defined_pool(c, name)


def built(name):
    pool = defined_pool(c, name)
    pool.build(0)
    return pool


def active(name):
    return active_pool(c, name)


def stopped(name):
    pool = active_pool(c, name)
    pool.destroy()
    return pool


def transient(name):
    return transient_pool(c, name)


def pending(name):
    """Active, with a definition for the next start whose path is another one."""
    pool = active_pool(c, name)
    c.storagePoolDefineXML(dir_pool(name, WORK + "/next-" + name, uuid=pool.UUIDString()), 0)
    return pool


def filled(name):
    pool = active_pool(c, name)
    pool.createXML(raw_volume("v"), 0)
    return pool


def undefined(name):
    pool = defined_pool(c, name)
    pool.undefine()
    return pool


def vanished(name):
    pool = transient_pool(c, name)
    pool.destroy()
    return pool


OPERATIONS = {
    "build": lambda pool: pool.build(0),
    "start": lambda pool: pool.create(0),
    "start with build": lambda pool: pool.create(libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD),
    "stop": lambda pool: pool.destroy(),
    "delete": lambda pool: pool.delete(0),
    "refresh": lambda pool: pool.refresh(0),
    "undefine": lambda pool: pool.undefine(),
    "autostart": lambda pool: pool.autostart(),
    "set autostart": lambda pool: pool.setAutostart(1),
    "clear autostart": lambda pool: pool.setAutostart(0),
    "is active": lambda pool: pool.isActive(),
    "is persistent": lambda pool: pool.isPersistent(),
    "info": lambda pool: pool.info(),
    "document": lambda pool: pool.XMLDesc(0),
    "inactive document": lambda pool: pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE),
    "number of volumes": lambda pool: pool.numOfVolumes(),
    "names of volumes": lambda pool: pool.listVolumes(),
    "volumes": lambda pool: pool.listAllVolumes(0),
    "volume by name": lambda pool: pool.storageVolLookupByName("v"),
    "create a volume": lambda pool: pool.createXML(raw_volume("new"), 0),
    "define again": lambda pool: c.storagePoolDefineXML(dir_pool(pool.name(), uuid=pool.UUIDString()), 0),
    "create again": lambda pool: c.storagePoolCreateXML(dir_pool(pool.name(), uuid=pool.UUIDString()), 0),
    "lookup by name": lambda pool: c.storagePoolLookupByName(pool.name()),
    "lookup by path": lambda pool: c.storagePoolLookupByTargetPath(WORK + "/" + pool.name()),
}

for make in (inactive, built, active, stopped, transient, pending, filled, undefined, vanished):
    for number, (title, operation) in enumerate(OPERATIONS.items()):
        name = "%s%d" % (make.__name__, number)
        pool = make(name)
        label = "%s: %s" % (make.__name__, title)
        step(label, operation, pool)
        found = [found for found in c.listAllStoragePools(0) if found.name() == name]
        fact(
            label + ": afterwards",
            [[found.isActive(), found.isPersistent(), found.autostart(), found.info()[0], found.XMLDesc(0), found.XMLDesc(1)] for found in found],
        )
        for left in found:
            if left.isActive():
                persistent = left.isPersistent()
                left.destroy()
                if not persistent:
                    continue
            left.undefine()

"""Pool events: what each call tells, to all pools' listeners and to one pool's, in which order."""

import os

import libvirt

from compat import WORK, EventLoop, connect, dir_pool, fact, raw_volume, step

loop = EventLoop()
c = connect()
heard = []
LIFECYCLE = libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE
REFRESH = libvirt.VIR_STORAGE_POOL_EVENT_ID_REFRESH


def lifecycle(connection, pool, event, detail, opaque):
    heard.append("%s: lifecycle %s %d %d" % (opaque, pool.name(), event, detail))


def refreshed(connection, pool, opaque):
    heard.append("%s: refresh %s" % (opaque, pool.name()))


def done(label, call, *arguments):
    """One call, and what was heard until an event of a pool made for this comes."""
    heard.clear()
    result = step(label, call, *arguments)
    marker = c.storagePoolDefineXML(dir_pool("marker", WORK + "/marker"), 0)
    marker.undefine()
    loop.turn_until(lambda: any("marker 1 0" in line and line.startswith("all") for line in heard))
    fact(label + ": events", tuple(line for line in heard if "marker" not in line))
    return result


step("register lifecycle", c.storagePoolEventRegisterAny, None, LIFECYCLE, lifecycle, "all")
step("register refresh", c.storagePoolEventRegisterAny, None, REFRESH, refreshed, "all")
pool = done("define", c.storagePoolDefineXML, dir_pool("p"), 0)
mine = step("register for one pool", c.storagePoolEventRegisterAny, pool, LIFECYCLE, lifecycle, "one")
step("register refresh for one pool", c.storagePoolEventRegisterAny, pool, REFRESH, refreshed, "one")
done("redefine", c.storagePoolDefineXML, dir_pool("p", uuid=pool.UUIDString()), 0)
done("start fails", pool.create, 0)
done("build", pool.build, 0)
done("start", pool.create, 0)
done("start again", pool.create, 0)
done("refresh", pool.refresh, 0)
done("define while active", c.storagePoolDefineXML, dir_pool("p", uuid=pool.UUIDString()), 0)
done("autostart", pool.setAutostart, 1)
volume = done("create a volume", pool.createXML, raw_volume("v"), 0)
clone = done("clone a volume", pool.createXMLFrom, raw_volume("w"), volume, 0)
done("resize a volume", volume.resize, 2 << 20, 0)
done("wipe a volume", volume.wipe, 0)


def upload():
    stream = c.newStream(0)
    volume.upload(stream, 0, 0, 0)
    stream.send(b"x")
    stream.finish()


def download():
    stream = c.newStream(0)
    volume.download(stream, 0, 0, 0)
    stream.recvAll(lambda stream, data, opaque: None, None)
    stream.finish()


heard.clear()
step("upload", upload)
fact("upload refreshes", loop.turn_until(lambda: {"all: refresh p", "one: refresh p"} <= set(heard)))
done("download", download)
done("delete a volume", volume.delete, 0)
done("delete another volume", clone.delete, 0)
done("stop", pool.destroy)
done("start with build", pool.create, 1)
os.rmdir(WORK + "/p")
done("refresh fails", pool.refresh, 0)
done("build again", pool.build, 0)
done("delete", pool.delete, 0)
done("delete again", pool.delete, 0)
done("undefine", pool.undefine)
transient = done("create with build", c.storagePoolCreateXML, dir_pool("t"), 1)
done("create again", c.storagePoolCreateXML, dir_pool("t", uuid=transient.UUIDString()), 0)
done("stop transient", transient.destroy)
done("create fails", c.storagePoolCreateXML, dir_pool("nowhere"), 0)
transient = done("create once more", c.storagePoolCreateXML, dir_pool("t"), 1)
os.rmdir(WORK + "/t")
done("transient refresh fails", transient.refresh, 0)
persistent = c.storagePoolDefineXML(dir_pool("over"), 0)
done("create over", c.storagePoolCreateXML, dir_pool("over", uuid=persistent.UUIDString()), 1)
done("stop created over", persistent.destroy)
step("deregister one", c.storagePoolEventDeregisterAny, mine)
step("deregister twice", c.storagePoolEventDeregisterAny, mine)
step("deregister unknown", c.storagePoolEventDeregisterAny, 99)
done("undefine with fewer listeners", persistent.undefine)

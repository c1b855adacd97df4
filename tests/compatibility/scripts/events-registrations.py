"""Registrations of events: several on one connection and on several, for one pool, for pools that come and go."""

import libvirt

from compat import WORK, EventLoop, connect, connect_read_only, dir_pool, fact, step

loop = EventLoop()
c = connect()
other = connect()
ro = connect_read_only()
connections = []
heard = []
LIFECYCLE = libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE
REFRESH = libvirt.VIR_STORAGE_POOL_EVENT_ID_REFRESH


def lifecycle(connection, pool, event, detail, opaque):
    heard.append("%s: %s %d" % (opaque, pool.name(), event))


def refreshed(connection, pool, opaque):
    heard.append("%s: %s refreshed" % (opaque, pool.name()))


def another():
    """A connection of its own: the Python binding cannot register the same event twice on one."""
    connections.append(connect())
    return connections[-1]


def listened(label, call, *arguments):
    heard.clear()
    result = step(label, call, *arguments)
    c.storagePoolDefineXML(dir_pool("marker"), 0).undefine()
    loop.turn_until(lambda: "last: marker 1" in heard and "other: marker 1" in heard and "read-only: marker 1" in heard, 5)
    fact(label + ": heard", sorted(line for line in heard if "marker" not in line))
    return result


a = c.storagePoolDefineXML(dir_pool("a"), 0)
b = c.storagePoolDefineXML(dir_pool("b"), 0)
first = step("first", c.storagePoolEventRegisterAny, None, LIFECYCLE, lifecycle, "first")
two = another()
step("the same event twice on one connection", c.storagePoolEventRegisterAny, None, LIFECYCLE, lifecycle, "twice")
second = step("second", two.storagePoolEventRegisterAny, None, LIFECYCLE, lifecycle, "second")
only_a = step("only a", c.storagePoolEventRegisterAny, a, LIFECYCLE, lifecycle, "only a")
only_b = step("only b", c.storagePoolEventRegisterAny, b, LIFECYCLE, lifecycle, "only b")
refresh_a = step("refresh of a", c.storagePoolEventRegisterAny, a, REFRESH, refreshed, "refresh a")
refresh_all = step("refresh of all", c.storagePoolEventRegisterAny, None, REFRESH, refreshed, "refresh all")
step("other connection", other.storagePoolEventRegisterAny, None, LIFECYCLE, lifecycle, "other")
step("read-only connection", ro.storagePoolEventRegisterAny, None, LIFECYCLE, lifecycle, "read-only")
step("last", another().storagePoolEventRegisterAny, None, LIFECYCLE, lifecycle, "last")
step("unknown event", another().storagePoolEventRegisterAny, None, 2, lifecycle, "x")
step("unknown event 99", another().storagePoolEventRegisterAny, None, 99, lifecycle, "x")
listened("build a", a.build, 0)
listened("start a", a.create, 0)
listened("refresh a", a.refresh, 0)
listened("build b", b.build, 0)
listened("start b", b.create, 0)
listened("refresh b", b.refresh, 0)
step("deregister second", two.storagePoolEventDeregisterAny, second)
listened("stop a", a.destroy)
step("deregister only a", c.storagePoolEventDeregisterAny, only_a)
listened("start a again", a.create, 0)
step("register second again", two.storagePoolEventRegisterAny, None, LIFECYCLE, lifecycle, "second again")
listened("stop a again", a.destroy)
listened("undefine a", a.undefine)
listened("refresh b again", b.refresh, 0)
uuid = b.UUIDString()
b.destroy()
listened("undefine b", b.undefine)
listened("define b with its uuid", c.storagePoolDefineXML, dir_pool("b", uuid=uuid), 0)
gone = c.storagePoolDefineXML(dir_pool("gone"), 0)
gone.undefine()
step("register for a pool that is gone", c.storagePoolEventRegisterAny, gone, LIFECYCLE, lifecycle, "gone")
listened("define it again", c.storagePoolDefineXML, dir_pool("gone", uuid=gone.UUIDString()), 0)

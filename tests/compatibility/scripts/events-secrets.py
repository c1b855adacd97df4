"""Secret events: defined, undefined, value changed; for all secrets and for one."""

import libvirt

from compat import EventLoop, connect, fact, step

loop = EventLoop()
c = connect()
heard = []
LIFECYCLE = libvirt.VIR_SECRET_EVENT_ID_LIFECYCLE
CHANGED = libvirt.VIR_SECRET_EVENT_ID_VALUE_CHANGED
MARKER = "<secret ephemeral='yes'><uuid>5e7a1f00-0000-0000-0000-0000000000ff</uuid></secret>"


def lifecycle(connection, secret, event, detail, opaque):
    heard.append("%s: %s %d %d %d %r" % (opaque, secret.UUIDString(), secret.usageType(), event, detail, secret.usageID()))


def changed(connection, secret, opaque):
    heard.append("%s: %s %d changed" % (opaque, secret.UUIDString(), secret.usageType()))


def listened(label, call, *arguments):
    heard.clear()
    result = step(label, call, *arguments)
    c.secretDefineXML(MARKER, 0).undefine()
    loop.turn_until(lambda: any("0ff 0 1" in line for line in heard), 5)
    fact(label + ": heard", tuple(line for line in heard if "0ff 0" not in line))
    return result


step("register lifecycle", c.secretEventRegisterAny, None, LIFECYCLE, lifecycle, "all")
step("register changed", c.secretEventRegisterAny, None, CHANGED, changed, "all")
DOCUMENT = "<secret><uuid>5e7a1f00-0000-0000-0000-000000000001</uuid>%s<usage type='ceph'><name>n</name></usage></secret>"
secret = listened("define", c.secretDefineXML, DOCUMENT % "", 0)
one = step("register for one", c.secretEventRegisterAny, secret, LIFECYCLE, lifecycle, "one")
step("register changed for one", c.secretEventRegisterAny, secret, CHANGED, changed, "one")
step("register unknown event", c.secretEventRegisterAny, None, 9, lifecycle, "x")
listened("redefine", c.secretDefineXML, DOCUMENT % "<description>d</description>", 0)
listened("set value", secret.setValue, b"v", 0)
listened("set value again", secret.setValue, b"v", 0)
listened("get value", secret.value, 0)
listened("define fails", c.secretDefineXML, DOCUMENT.replace("ceph", "tls") % "", 0)
other = listened("define another", c.secretDefineXML, "<secret><uuid>5e7a1f00-0000-0000-0000-000000000002</uuid></secret>", 0)
listened("set the other's value", other.setValue, b"w", 0)
step("deregister", c.secretEventDeregisterAny, one)
step("deregister again", c.secretEventDeregisterAny, one)
listened("undefine", secret.undefine)
listened("undefine the other", other.undefine)

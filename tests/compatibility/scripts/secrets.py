"""Secrets: define, value, lookup, list with filters, undefine, private and ephemeral, files, every refusal."""

import os

import libvirt

from compat import ETC, NOWHERE, connect, connect_read_only, daemon, fact, read_file, step, tree

c = connect()


def document(inside="", attributes=""):
    return "<secret %s>%s</secret>" % (attributes, inside)


def uuid(number):
    return "<uuid>5e7a1f00-0000-0000-0000-0000000000%02x</uuid>" % number


def usage(kind, inside=""):
    return "<usage type='%s'>%s</usage>" % (kind, inside)


def files(label):
    place = ETC + "/secrets"
    fact(label, tree(place))


# Documents
def shown(label, text, flags=0):
    secret = step(label, c.secretDefineXML, text, flags)
    if secret is None:
        return None
    step(label + ": document", secret.XMLDesc, 0)
    fact(label + ": usage", [secret.usageType(), secret.usageID()])
    path = "%s/secrets/%s.xml" % (ETC, secret.UUIDString())
    fact(label + ": file", read_file(path) if os.path.exists(path) else None)
    secret.undefine()


shown("plain", document(uuid(1)))
shown("without uuid", document("<description>a&lt;b</description>"))
shown("attributes no", document(uuid(1), "ephemeral='no' private='no'"))
shown("attributes yes", document(uuid(1), "ephemeral='yes' private='yes'"))
shown("description", document(uuid(1) + "<description>d  e\n f</description>"))
shown("description empty", document(uuid(1) + "<description/>"))
for kind, element in (("none", ""), ("volume", "<volume>/a//b/</volume>"), ("ceph", "<name>client.admin secret</name>"), ("iscsi", "<target>iqn&amp;x</target>"), ("tls", "<name>TLS</name>"), ("vtpm", "<name>VTPM</name>")):
    shown("usage " + kind, document(uuid(1) + usage(kind, element)))
    shown("usage %s without id" % kind, document(uuid(1) + usage(kind)))
    shown("usage %s with empty id" % kind, document(uuid(1) + usage(kind, "<volume/><name/><target/>")))
shown("usage without type", document(uuid(1) + "<usage/>"))
shown("usage of unknown type", document(uuid(1) + usage("zz")))
shown("two usages", document(uuid(1) + usage("ceph", "<name>a</name>") + usage("ceph", "<name>b</name>")))
shown("bad ephemeral", document(uuid(1), "ephemeral='zz'"))
shown("bad private", document(uuid(1), "private='maybe'"))
shown("bad uuid", document("<uuid>zz</uuid>"))
shown("empty", "")
shown("not XML", "<secret")
shown("wrong root", "<pool/>")
shown("unknown elements", document(uuid(1) + "<zz/>"))
shown("flags 1 is validate", document(uuid(1)), 1)
shown("validate: unknown element", document(uuid(1) + "<zz/>"), 1)
shown("flags 2", document(uuid(1)), 2)

# Life
CEPH = usage("ceph", "<name>client</name>")
a = step("define", c.secretDefineXML, document(uuid(1) + CEPH), 0)
files("defined")
step("value unset", a.value, 0)
step("set value", a.setValue, b"sesame", 0)
files("value set")
fact("value file", [read_file("%s/secrets/%s" % (ETC, name)) for name in sorted(os.listdir(ETC + "/secrets")) if name.endswith("base64")])
step("value", a.value, 0)
step("set binary value", a.setValue, bytes(range(256)), 0)
step("binary value", a.value, 0)
step("set empty value", a.setValue, b"", 0)
step("empty value", a.value, 0)
step("set large value", a.setValue, b"x" * 65536, 0)
step("large value", a.value, 0)
step("set too large value", a.setValue, b"x" * 65537, 0)
step("value after that", a.value, 0)
a.setValue(b"sesame", 0)
for flags in (1, 2):
    step("value flags %d" % flags, a.value, flags)
    step("set value flags %d" % flags, a.setValue, b"x", flags)
    step("document flags %d" % flags, a.XMLDesc, flags)
step("redefine", c.secretDefineXML, document(uuid(1) + CEPH + "<description>new</description>"), 0)
step("value is kept", a.value, 0)
step("redefine with other usage", c.secretDefineXML, document(uuid(1) + usage("ceph", "<name>other</name>")), 0)
step("redefine with other usage type", c.secretDefineXML, document(uuid(1) + usage("iscsi", "<target>client</target>")), 0)
step("redefine without usage", c.secretDefineXML, document(uuid(1)), 0)
step("another with the same usage", c.secretDefineXML, document(uuid(2) + CEPH), 0)
step("without uuid and the same usage", c.secretDefineXML, document(CEPH), 0)
step("make it private", c.secretDefineXML, document(uuid(1) + CEPH, "private='yes'"), 0)
step("private value", a.value, 0)
step("make it public again", c.secretDefineXML, document(uuid(1) + CEPH), 0)
step("private and ephemeral", c.secretDefineXML, document(uuid(1) + CEPH, "private='yes' ephemeral='yes'"), 0)
files("made ephemeral")
step("and back", c.secretDefineXML, document(uuid(1) + CEPH, "private='yes'"), 0)
files("made persistent")
for twin in c.listAllSecrets(0):
    if twin.UUIDString().endswith("02"):
        step("undefine the twin", twin.undefine)
e = c.secretDefineXML(document(uuid(3) + usage("volume", "<volume>/x</volume>"), "ephemeral='yes'"), 0)
e.setValue(b"gone soon", 0)
step("ephemeral value", e.value, 0)
n = c.secretDefineXML(document(uuid(4)), 0)
files("an ephemeral one and one without value")

# Lookups and lists
step("by uuid", c.secretLookupByUUIDString, "5e7a1f00-0000-0000-0000-000000000001")
step("by unknown uuid", c.secretLookupByUUIDString, NOWHERE)
step("by usage", c.secretLookupByUsage, libvirt.VIR_SECRET_USAGE_TYPE_CEPH, "client")
step("by usage of other type", c.secretLookupByUsage, libvirt.VIR_SECRET_USAGE_TYPE_ISCSI, "client")
step("by unknown usage", c.secretLookupByUsage, libvirt.VIR_SECRET_USAGE_TYPE_CEPH, "nope")
step("by usage none", c.secretLookupByUsage, libvirt.VIR_SECRET_USAGE_TYPE_NONE, "")
step("by usage of type 99", c.secretLookupByUsage, 99, "x")
for flags in (0, 1, 2, 3, 4, 8, 12, 5, 6, 9, 10, 15, 16, 32):
    step("list flags %d" % flags, c.listAllSecrets, flags)
step("number", c.numOfSecrets)
step("old list", c.listSecrets)
ro = connect_read_only()
step("read-only list", ro.listAllSecrets, 0)
step("read-only lookup", ro.secretLookupByUUIDString, "5e7a1f00-0000-0000-0000-000000000004")
step("read-only document", ro.secretLookupByUUIDString("5e7a1f00-0000-0000-0000-000000000004").XMLDesc, 0)
step("read-only value", ro.secretLookupByUUIDString("5e7a1f00-0000-0000-0000-000000000004").value, 0)
step("read-only set value", ro.secretLookupByUUIDString("5e7a1f00-0000-0000-0000-000000000004").setValue, b"x", 0)
step("read-only define", ro.secretDefineXML, document(uuid(5)), 0)
step("read-only undefine", ro.secretLookupByUUIDString("5e7a1f00-0000-0000-0000-000000000004").undefine)

# Restart
c.close()
ro.close()
daemon.restart()
c = connect()
step("list after restart", c.listAllSecrets, 0)
files("after restart")
b = c.secretLookupByUUIDString("5e7a1f00-0000-0000-0000-000000000001")
step("private value after restart", b.value, 0)
step("document after restart", b.XMLDesc, 0)
step("undefine", b.undefine)
files("undefined")
step("undefine again", b.undefine)
step("document of one that is gone", b.XMLDesc, 0)
step("value of one that is gone", b.value, 0)
step("set value of one that is gone", b.setValue, b"x", 0)

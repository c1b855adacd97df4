"""The command lines with which qemu-img is called, seen by a stand-in that notes them and calls the real one."""

import os
import re

from compat import WORK, active_pool, connect, fact, noise, raw_volume, step, volume, write_file
from stand_in import StandIn

c = connect()
pool = active_pool(c, "p")
calls = StandIn("/usr/bin/qemu-img")


def noted(label, call, *arguments):
    calls.forget()
    result = step(label, call, *arguments)
    fact(label + ": calls", tuple(re.sub(r"file=[^,= ]*secret[^,= ]*", "file=SECRET", line) for line in calls.lines()))
    return result


raw = pool.createXML(raw_volume("source.raw", 1 << 20), 0)
with open(raw.path(), "r+b") as file:
    file.write(noise(100000))
base = write_file("base.raw", b"\0" * 65536)
BACKING = "<backingStore><path>%s</path><format type='raw'/></backingStore>" % base
noted("raw", pool.createXML, raw_volume("a.raw"), 0)
qcow2 = noted("qcow2", pool.createXML, volume("a", "qcow2"), 0)
noted("qcow2 odd size", pool.createXML, volume("b", "qcow2", 1000001), 0)
noted("qcow2 backing", pool.createXML, volume("c", "qcow2", extra=BACKING), 0)
noted("qcow2 backing without capacity", pool.createXML, "<volume><name>d</name><target><format type='qcow2'/></target>%s</volume>" % BACKING, 0)
noted("qcow2 options", pool.createXML, volume("e", "qcow2", target="<compat>1.1</compat><clusterSize>131072</clusterSize><features><lazy_refcounts/><extended_l2/></features><nocow/>"), 0)
noted("qcow2 preallocated", pool.createXML, volume("f", "qcow2"), 1)
noted("qcow2 preallocated sparse", pool.createXML, volume("g", "qcow2", extra="<allocation>0</allocation>"), 1)
for form in ("qcow", "qed", "vmdk", "vdi", "vpc", "iso"):
    noted(form, pool.createXML, volume("f." + form, form), 0)
noted("vmdk backing", pool.createXML, volume("h", "vmdk", extra=BACKING), 0)
noted("clone raw to raw", pool.createXMLFrom, raw_volume("k1"), raw, 0)
noted("clone raw to qcow2", pool.createXMLFrom, volume("k2", "qcow2"), raw, 0)
noted("clone raw to larger qcow2", pool.createXMLFrom, volume("k3", "qcow2", 4 << 20), raw, 0)
noted("clone qcow2 to raw", pool.createXMLFrom, raw_volume("k4"), qcow2, 0)
noted("clone qcow2 to qcow2", pool.createXMLFrom, volume("k5", "qcow2", target="<compat>1.1</compat>"), qcow2, 0)
noted("clone qcow2 preallocated", pool.createXMLFrom, volume("k6", "qcow2"), qcow2, 1)
noted("clone backed to qcow2", pool.createXMLFrom, volume("k7", "qcow2"), pool.storageVolLookupByName("c"), 0)
noted("clone backed with its backing", pool.createXMLFrom, volume("k8", "qcow2", extra=BACKING), pool.storageVolLookupByName("c"), 0)
noted("resize qcow2", qcow2.resize, 3000001, 0)
noted("shrink qcow2", qcow2.resize, 1 << 20, 4)
noted("resize raw", raw.resize, 2 << 20, 0)
noted("wipe qcow2", qcow2.wipe, 0)
noted("refresh", pool.refresh, 0)

secret = c.secretDefineXML("<secret private='no'><uuid>5e7a1f00-0000-0000-0000-00000000005e</uuid><usage type='volume'><volume>/x</volume></usage></secret>", 0)
secret.setValue(b"sesame", 0)
calls.pretend()
LUKS = "<encryption format='luks'><secret type='passphrase' uuid='5e7a1f00-0000-0000-0000-00000000005e'/>%s</encryption>"
encrypted = noted("luks raw", pool.createXML, volume("l1", "raw", target=LUKS % ""), 0)
noted("luks raw with cipher", pool.createXML, volume("l2", "raw", target=LUKS % "<cipher name='aes' size='128' mode='cbc' hash='sha256'/><ivgen name='essiv' hash='sha256'/>"), 0)
sealed = noted("luks qcow2", pool.createXML, volume("l3", "qcow2", target=LUKS % ""), 0)
noted("luks qcow2 with owner", pool.createXML, volume("l4", "qcow2", target="<permissions><mode>0600</mode><owner>12</owner><group>34</group></permissions>" + LUKS % ""), 0)
if encrypted is not None:
    noted("resize luks raw", encrypted.resize, 3 << 20, 0)
    noted("clone luks raw to raw", pool.createXMLFrom, raw_volume("l5"), encrypted, 0)
    noted("clone raw to luks raw", pool.createXMLFrom, volume("l6", "raw", target=LUKS % ""), raw, 0)
    noted("clone luks to luks qcow2", pool.createXMLFrom, volume("l7", "qcow2", target=LUKS % ""), encrypted, 0)
if sealed is not None:
    noted("resize luks qcow2", sealed.resize, 3 << 20, 0)
    noted("clone luks qcow2 to qcow2", pool.createXMLFrom, volume("l8", "qcow2"), sealed, 0)
fact("passphrase files left", [name for name in os.listdir(os.environ["COMPAT_RUN"] + "/storage") if "secret" in name])
calls.remove()

"""Volume documents and calls that are refused, each for one reason."""

import os

from compat import WORK, active_pool, connect, connect_read_only, defined_pool, fact, left_behind, raw_volume, step, volume, write_file

c = connect()
pool = active_pool(c, "p")


def refused(label, document, flags=0):
    created = step(label, pool.createXML, document, flags)
    fact(label + ": volumes", pool.listVolumes())
    if created is not None:
        fact(label + ": document", created.XMLDesc(0))
        created.delete(0)
    if "v" not in pool.listVolumes():
        left_behind(label, "p", "v")


refused("empty", "")
refused("not XML", "<volume")
refused("mismatched tags", "<volume>\n<name>v</nam>\n</volume>")
refused("wrong root", "<pool/>")
refused("no name", "<volume><capacity>5</capacity></volume>")
refused("empty name", "<volume><name/><capacity>5</capacity></volume>")
refused("no capacity", "<volume><name>v</name></volume>")
refused("no capacity, allocation", "<volume><name>v</name><allocation>5</allocation></volume>")
refused("empty capacity", "<volume><name>v</name><capacity/></volume>")
refused("unknown type", "<volume type='zz'><name>v</name><capacity>5</capacity></volume>")
for form in ("zz", "none", "auto", "linux", "RAW", "host_device", "nbd", "iso9660"):
    refused("format " + form, volume("v", form))
refused("bad mode", volume("v", "raw", target="<permissions><mode>9</mode></permissions>"))
refused("bad owner", volume("v", "raw", target="<permissions><owner>x</owner></permissions>"))
refused("bad group", volume("v", "raw", target="<permissions><group>x</group></permissions>"))
for compat in ("1.1x", "a.b", "1", "1.", ".1", "", "1.1.1", "-1.1", "2.0", "0.10", "1.10"):
    refused("qcow2 compat %r" % compat, volume("v", "qcow2", target="<compat>%s</compat>" % compat))
refused("unknown feature", volume("v", "qcow2", target="<features><zz/></features>"))
for size in ("zz", "-1", "0", "1000", "512", "4194304", "65537", "1.5", ""):
    refused("qcow2 cluster size %r" % size, volume("v", "qcow2", target="<clusterSize>%s</clusterSize>" % size))
refused("qcow2 cluster size in unit", volume("v", "qcow2", target="<clusterSize unit='KiB'>64</clusterSize>"))
refused("qcow2 cluster size in bad unit", volume("v", "qcow2", target="<clusterSize unit='zz'>64</clusterSize>"))
refused("lazy_refcounts with 0.10", volume("v", "qcow2", target="<compat>0.10</compat><features><lazy_refcounts/></features>"))
refused("extended_l2 with 0.10", volume("v", "qcow2", target="<compat>0.10</compat><features><extended_l2/></features>"))
for form in ("vmdk", "qed", "vdi", "vpc", "qcow"):
    refused("compat with " + form, volume("v", form, target="<compat>1.1</compat>"))
    refused("features with " + form, volume("v", form, target="<features><lazy_refcounts/></features>"))
    refused("metadata with " + form, volume("v", form), 1)
    refused("cluster size with " + form, volume("v", form, target="<clusterSize>65536</clusterSize>"))
for form in ("bochs", "cloop", "dmg", "cow", "fat", "vhd", "iso", "ploop"):
    refused("format " + form, volume("v", form))

# Backing stores
base = write_file("base.raw", b"\0" * 65536)
backing = "<backingStore><path>%s</path><format type='%s'/></backingStore>"
refused("backing of raw", volume("v", "raw", extra=backing % (base, "raw")))
refused("backing of dir", volume("v", "dir", extra=backing % (base, "raw")))
refused("backing missing", volume("v", "qcow2", extra=backing % ("/nope", "raw")))
refused("backing relative and missing", volume("v", "qcow2", extra=backing % ("nope", "raw")))
refused("backing with unknown format", volume("v", "qcow2", extra=backing % (base, "zz")))
refused("backing with wrong format", volume("v", "qcow2", extra=backing % (base, "qcow2")))
refused("backing without path", volume("v", "qcow2", extra="<backingStore/>"))
refused("backing with empty path", volume("v", "qcow2", extra="<backingStore><path/></backingStore>"))
refused("backing and metadata", volume("v", "qcow2", extra=backing % (base, "raw")), 1)
refused("backing with bad mode", volume("v", "qcow2", extra="<backingStore><path>%s</path><permissions><mode>x</mode></permissions></backingStore>" % base))
refused("backing of vdi", volume("v", "vdi", extra=backing % (base, "raw")))
refused("backing without capacity, raw", "<volume><name>v</name><backingStore><path>%s</path></backingStore></volume>" % base)

# Encryption
SECRET = "<secret type='passphrase' %s/>"
UUID = SECRET % "uuid='11111111-2222-3333-4444-555555555555'"


def encrypted(form, inside, attributes="format='luks'"):
    return volume("v", form, target="<encryption %s>%s</encryption>" % (attributes, inside))


refused("encryption without format", encrypted("raw", "", ""))
refused("encryption of unknown format", encrypted("raw", "", "format='zz'"))
refused("encryption default", encrypted("raw", "", "format='default'"))
refused("encryption qcow of qcow2", encrypted("qcow2", "", "format='qcow'"))
refused("encryption qcow of qcow2 with secret", encrypted("qcow2", UUID, "format='qcow'"))
refused("encryption default of qcow2", encrypted("qcow2", "", "format='default'"))
refused("luks without secret", encrypted("raw", ""))
refused("luks with two secrets", encrypted("raw", UUID + UUID))
refused("luks with unknown secret", encrypted("raw", UUID))
refused("luks with unknown secret by usage", encrypted("raw", SECRET % "usage='/a/b'"))
refused("luks of qcow2 with unknown secret", encrypted("qcow2", UUID))
refused("luks of vmdk", encrypted("vmdk", UUID))
refused("luks of dir", encrypted("dir", UUID))
refused("luks2", encrypted("raw", UUID, "format='luks2'"))
refused("engine unknown", encrypted("raw", UUID, "format='luks' engine='zz'"))
refused("engine librbd", encrypted("raw", UUID, "format='luks' engine='librbd'"))
refused("secret of unknown type", encrypted("raw", "<secret type='zz' uuid='11111111-2222-3333-4444-555555555555'/>"))
refused("secret without type", encrypted("raw", "<secret uuid='11111111-2222-3333-4444-555555555555'/>"))
refused("secret without identity", encrypted("raw", "<secret type='passphrase'/>"))
refused("secret with both", encrypted("raw", SECRET % "uuid='11111111-2222-3333-4444-555555555555' usage='x'"))
refused("secret with bad uuid", encrypted("raw", SECRET % "uuid='x'"))
refused("ivgen without cipher", encrypted("raw", UUID + "<ivgen name='plain64'/>"))
refused("cipher without size", encrypted("raw", UUID + "<cipher name='aes'/>"))
refused("cipher without name", encrypted("raw", UUID + "<cipher size='256'/>"))
refused("cipher with bad size", encrypted("raw", UUID + "<cipher name='aes' size='x'/>"))
refused("ivgen without name", encrypted("raw", UUID + "<cipher name='aes' size='256'/><ivgen hash='sha256'/>"))

# What is already there
write_file("p/unlisted", b"x")
refused("a file that is not listed", raw_volume("unlisted"))
os.symlink("nowhere", WORK + "/p/dangling")
refused("a dangling link", raw_volume("dangling"))
os.mkdir(WORK + "/p/directory")
refused("a directory", raw_volume("directory"))
step("created", pool.createXML, raw_volume("v"), 0)
step("created again", pool.createXML, raw_volume("v"), 0)
step("created again in another format", pool.createXML, volume("v", "qcow2"), 0)
step("created again with bad XML", pool.createXML, "<volume><name>v</name></volume>", 0)

# Flags
for flags in (2, 3, 4, 5, 6, 8, 0x40):
    refused("flags %d" % flags, raw_volume("w"), flags)
    refused("flags %d and not XML" % flags, "<", flags)
refused("validate: no name", "<volume><capacity>5</capacity></volume>", 4)
refused("validate: unknown element", raw_volume("w", extra="<zz/>"), 4)
refused("validate: unknown format", volume("w", "zz"), 4)
refused("validate: wrong root", "<pool/>", 4)
for label, flags in (("validate: good", 4), ("validate and preallocate", 5)):
    good = step(label, pool.createXML, volume("w", "qcow2", target="<compat>1.1</compat><features><lazy_refcounts/></features>"), flags)
    if good is not None:
        good.delete(0)

inactive = defined_pool(c, "inactive")
step("in an inactive pool", inactive.createXML, raw_volume("v"), 0)
step("in an inactive pool, bad XML", inactive.createXML, "<", 0)
step("in an inactive pool, bad flags", inactive.createXML, raw_volume("v"), 0x40)
read_only = connect_read_only().storagePoolLookupByName("p")
step("read-only", read_only.createXML, raw_volume("r"), 0)

"""Which pools may not be defined or created beside which."""

from compat import WORK, connect, fact, step

c = connect()


def pool(kind, name, source, target="<target><path>%s</path></target>"):
    path = "%s/%s" % (WORK, name)
    uuid = "5e7a1f00-0000-0000-0000-0000000000%02x" % ord(name)
    return "<pool type='%s'><name>%s</name><uuid>%s</uuid><source>%s</source>%s</pool>" % (
        kind,
        name,
        uuid,
        source,
        target % path if "%s" in target else target,
    )


def pairs(label, rows):
    """Defines the first row's pool, then tries each other beside it."""
    first = c.storagePoolDefineXML(rows[0], 0)
    for number, row in enumerate(rows[1:]):
        other = step("%s: pool %d beside the first" % (label, number + 1), c.storagePoolDefineXML, row, 0)
        if other is not None:
            other.undefine()
        else:
            step("%s: pool %d created beside the first" % (label, number + 1), c.storagePoolCreateXML, row, 0)
    fact(label + ": left", c.listAllStoragePools(0))
    for left in c.listAllStoragePools(0):
        left.undefine()


T = "<target><path>%s</path></target>"
pairs("dir", [
    pool("dir", "a", "", T % "/p/x"),
    pool("dir", "b", "", T % "/p/x"),
    pool("dir", "b", "", T % "/p//x/"),
    pool("dir", "b", "", T % "//p/x"),
    pool("dir", "b", "", T % "/p/y"),
    pool("dir", "b", "", T % "/p/x/y"),
    pool("dir", "b", "", T % "/p/./x"),
])
pairs("netfs", [
    pool("netfs", "a", "<host name='h'/><dir path='/e'/>"),
    pool("netfs", "b", "<host name='h'/><dir path='/e'/>"),
    pool("netfs", "b", "<host name='h' port='1'/><dir path='/e'/>"),
    pool("netfs", "b", "<host name='h' port='0'/><dir path='/e'/>"),
    pool("netfs", "b", "<host name='H'/><dir path='/e'/>"),
    pool("netfs", "b", "<host name='g'/><dir path='/e'/>"),
    pool("netfs", "b", "<host name='h'/><dir path='/f'/>"),
    pool("netfs", "b", "<host name='h'/><host name='g'/><dir path='/e'/>"),
    pool("netfs", "b", "<host name='h'/><dir path='/e'/><format type='cifs'/>"),
])
pairs("netfs with a port", [
    pool("netfs", "a", "<host name='h' port='1'/><dir path='/e'/>"),
    pool("netfs", "b", "<host name='h'/><dir path='/e'/>"),
    pool("netfs", "b", "<host name='h' port='1'/><dir path='/e'/>"),
    pool("netfs", "b", "<host name='h' port='2'/><dir path='/e'/>"),
])
pairs("netfs with two hosts", [
    pool("netfs", "a", "<host name='h'/><host name='i'/><dir path='/e'/>"),
    pool("netfs", "b", "<host name='h'/><host name='i'/><dir path='/e'/>"),
    pool("netfs", "b", "<host name='h'/><dir path='/e'/>"),
])
pairs("netfs on one target", [
    pool("netfs", "a", "<host name='h'/><dir path='/e'/>", T % "/t"),
    pool("netfs", "b", "<host name='h'/><dir path='/f'/>", T % "/t"),
    pool("dir", "b", "", T % "/t"),
    pool("fs", "b", "<device path='/dev/x'/>", T % "/t"),
])
pairs("gluster", [
    pool("gluster", "a", "<host name='h'/><name>v</name>"),
    pool("gluster", "b", "<host name='h'/><name>v</name>"),
    pool("gluster", "b", "<host name='h'/><dir path='/'/><name>v</name>"),
    pool("gluster", "b", "<host name='h'/><dir path='/d'/><name>v</name>"),
    pool("gluster", "b", "<host name='h'/><name>w</name>"),
    pool("gluster", "b", "<host name='i'/><name>v</name>"),
    pool("gluster", "b", "<host name='h' port='24007'/><name>v</name>"),
    pool("netfs", "b", "<host name='h'/><dir path='/'/>"),
])
pairs("scsi", [
    pool("scsi", "a", "<adapter name='host9'/>"),
    pool("scsi", "b", "<adapter name='host9'/>"),
    pool("scsi", "b", "<adapter type='scsi_host' name='scsi_host9'/>"),
    pool("scsi", "b", "<adapter name='host8'/>"),
    pool("scsi", "b", "<adapter name='strange'/>"),
    pool("scsi", "b", "<adapter type='scsi_host'><parentaddr unique_id='1'><address domain='0' bus='0' slot='1' function='0'/></parentaddr></adapter>"),
    pool("scsi", "b", "<adapter type='fc_host' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'/>"),
    pool("scsi", "b", "<adapter type='fc_host' parent='scsi_host9' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'/>"),
])
PARENT = "<adapter type='scsi_host'><parentaddr unique_id='%s'><address domain='0' bus='0' slot='%s' function='0'/></parentaddr></adapter>"
pairs("scsi by address", [
    pool("scsi", "a", PARENT % (1, "0x1f")),
    pool("scsi", "b", PARENT % (1, "31")),
    pool("scsi", "b", PARENT % (2, "31")),
    pool("scsi", "b", PARENT % (1, "30")),
    pool("scsi", "b", "<adapter name='host9'/>"),
])
FC = "<adapter type='fc_host' %s wwnn='%s' wwpn='%s'/>"
pairs("fc_host", [
    pool("scsi", "a", FC % ("", "20000000c9831b4b", "10000000c9831b4b")),
    pool("scsi", "b", FC % ("", "20000000c9831b4b", "10000000c9831b4b")),
    pool("scsi", "b", FC % ("parent='scsi_host3'", "20000000c9831b4b", "10000000c9831b4b")),
    pool("scsi", "b", FC % ("", "20000000c9831b4b", "10000000c9831b4c")),
    pool("scsi", "b", FC % ("", "20000000c9831b4c", "10000000c9831b4b")),
    pool("scsi", "b", FC % ("", "20000000C9831B4B", "10000000C9831B4B")),
    pool("scsi", "b", "<adapter name='host9'/>"),
])
pairs("iscsi", [
    pool("iscsi", "a", "<host name='h'/><device path='iqn.x'/>"),
    pool("iscsi", "b", "<host name='h'/><device path='iqn.x'/>"),
    pool("iscsi", "b", "<host name='other'/><device path='iqn.x'/>"),
    pool("iscsi", "b", "<host name='h'/><device path='iqn.y'/>"),
    pool("iscsi", "b", "<host name='h'/><device path='iqn.x'/><initiator><iqn name='i'/></initiator>"),
])
pairs("iscsi with initiator", [
    pool("iscsi", "a", "<host name='h'/><device path='iqn.x'/><initiator><iqn name='i'/></initiator>"),
    pool("iscsi", "b", "<host name='h'/><device path='iqn.x'/>"),
    pool("iscsi", "b", "<host name='h'/><device path='iqn.x'/><initiator><iqn name='i'/></initiator>"),
    pool("iscsi", "b", "<host name='h'/><device path='iqn.x'/><initiator><iqn name='j'/></initiator>"),
])
DIRECT = "<host name='h'/><device path='iqn.x'/><initiator><iqn name='i'/></initiator>"
pairs("iscsi-direct", [
    pool("iscsi-direct", "a", DIRECT),
    pool("iscsi-direct", "b", DIRECT),
    pool("iscsi", "b", DIRECT),
])
pairs("devices", [
    pool("fs", "a", "<device path='/dev/x'/>"),
    pool("fs", "b", "<device path='/dev/x'/>"),
    pool("fs", "b", "<device path='/dev//x'/>"),
    pool("fs", "b", "<device path='/dev/y'/>"),
    pool("fs", "b", "<device path='/dev/y'/><device path='/dev/x'/>"),
    pool("logical", "b", "<device path='/dev/x'/>"),
    pool("disk", "b", "<device path='/dev/x'/>"),
    pool("zfs", "b", "<device path='/dev/x'/>"),
    pool("iscsi", "b", "<host name='h'/><device path='/dev/x'/>"),
])
pairs("logical", [
    pool("logical", "a", "<device path='/dev/x'/><device path='/dev/y'/><name>vg</name>"),
    pool("logical", "b", "<name>vg</name>"),
    pool("logical", "b", "<device path='/dev/y'/><name>other</name>"),
    pool("logical", "b", "<device path='/dev/z'/><name>vg</name>"),
    pool("disk", "b", "<device path='/dev/y'/>"),
    pool("disk", "b", "<device path='/dev/y1'/>"),
])
pairs("logical without devices", [
    pool("logical", "a", "<name>vg</name>"),
    pool("logical", "b", "<name>vg</name>"),
])
pairs("mpath", [
    pool("mpath", "a", ""),
    pool("mpath", "b", ""),
    pool("dir", "b", ""),
])
pairs("rbd", [
    pool("rbd", "a", "<name>p</name><host name='h'/>"),
    pool("rbd", "b", "<name>p</name><host name='h'/>"),
])
pairs("zfs", [
    pool("zfs", "a", "<name>tank</name><device path='/dev/x'/>"),
    pool("zfs", "b", "<name>tank</name>"),
    pool("zfs", "b", "<name>other</name><device path='/dev/x'/>"),
])

# The same name is not a conflict of sources, and an active pool counts too.
d = c.storagePoolDefineXML(pool("dir", "a", "", T % (WORK + "/d")), 0)
d.build(0)
d.create(0)
step("beside an active pool", c.storagePoolDefineXML, pool("dir", "b", "", T % (WORK + "/d")), 0)
step("created beside an active pool", c.storagePoolCreateXML, pool("dir", "b", "", T % (WORK + "/d")), 0)
e = c.storagePoolDefineXML(pool("dir", "b", "", T % (WORK + "/e")), 0)
step("redefined onto another's source", c.storagePoolDefineXML, "<pool type='dir'><name>b</name><uuid>%s</uuid><target><path>%s/d</path></target></pool>" % (e.UUIDString(), WORK), 0)
step("the other is unchanged", e.XMLDesc, 0)

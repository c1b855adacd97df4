"""Pool documents that are refused, each for one reason."""

from compat import connect, connect_read_only, dir_pool, fact, step

c = connect()


def refused(label, document, flags=0):
    if step(label, c.storagePoolDefineXML, document, flags) is not None:
        fact(label + ": document", c.listAllStoragePools(0)[0].XMLDesc(0))
        c.listAllStoragePools(0)[0].undefine()


TARGET = "<target><path>/x</path></target>"


def pool(kind, inside, target=TARGET):
    return "<pool type='%s'><name>e</name>%s%s</pool>" % (kind, inside, target)


def source(kind, inside, target=TARGET):
    return pool(kind, "<source>%s</source>" % inside, target)


# Not a document
refused("empty", "")
refused("blank", "   ")
refused("not XML", "<pool")
refused("text", "hello")
refused("mismatched tags", "<pool type=\"dir\"></poo>")
refused("mismatch on a later line", "<pool type='dir'>\n  <name>x</name>\n  <target>\n  </pool>\n")
refused("unterminated", "<pool type='dir'>\n  <name>x</name>\n")
refused("attribute without quotes", "<pool type=dir/>")
refused("duplicate attribute", "<pool type='dir' type='fs'/>")
refused("unknown entity", "<pool type='dir'><name>&nope;</name></pool>")
refused("bare ampersand", "<pool type='dir'><name>a & b</name></pool>")
refused("two roots", "<pool type='dir'/><pool/>")
refused("text after the root", dir_pool("e") + "x")
refused("character not allowed", "<pool type='dir'><name>a\x01b</name></pool>")
refused("character reference not allowed", "<pool type='dir'><name>a&#1;b</name></pool>")
refused("undeclared prefix", "<pool type='dir'><name>e</name><fs:x/>" + TARGET + "</pool>")
refused("long line", "<pool type='dir'><name>%s</nam></pool>" % ("x" * 200))
refused("wrong root", "<volume/>")
refused("wrong root with namespace", "<p:pool xmlns:p='urn:x' type='dir'/>")

step("entity of an internal subset", c.storagePoolDefineXML, "<!DOCTYPE pool [<!ENTITY e 'value'>]><pool type='dir'><name>k&e;</name><uuid>5e7a1f00-0000-0000-0000-000000000001</uuid>%s</pool>" % TARGET, 0)
for defined in c.listAllStoragePools(0):
    defined.undefine()
refused("external entity", "<!DOCTYPE pool [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><pool type='dir'><name>k&e;</name></pool>")

# Type, name, UUID
refused("no type", "<pool/>")
refused("unknown type", "<pool type='foo'/>")
refused("empty type", "<pool type=''/>")
refused("type in capitals", "<pool type='DIR'/>")
refused("no name", "<pool type='dir'>%s</pool>" % TARGET)
refused("empty name", "<pool type='dir'><name/>%s</pool>" % TARGET)
refused("slash in name", "<pool type='dir'><name>e/x</name>%s</pool>" % TARGET)
refused("name is a slash", "<pool type='dir'><name>/</name>%s</pool>" % TARGET)
refused("newline in name", "<pool type='dir'><name>e\nx</name>%s</pool>" % TARGET)
refused("newline ends name", "<pool type='dir'><name>e\n</name>%s</pool>" % TARGET)
refused("malformed UUID", pool("dir", "<uuid>x</uuid>"))
refused("short UUID", pool("dir", "<uuid>11111111-2222-3333-4444-55555555555</uuid>"))
refused("long UUID", pool("dir", "<uuid>11111111-2222-3333-4444-5555555555550</uuid>"))
refused("UUID with other letters", pool("dir", "<uuid>1111111g-2222-3333-4444-555555555555</uuid>"))
refused("UUID with braces", pool("dir", "<uuid>{11111111-2222-3333-4444-555555555555}</uuid>"))

# Target
refused("no target", pool("dir", "", ""))
refused("target without path", pool("dir", "", "<target/>"))
refused("target with empty path", pool("dir", "", "<target><path/></target>"))


def permissions(inside):
    return pool("dir", "", "<target><path>/x</path><permissions>%s</permissions></target>" % inside)


refused("mode in words", permissions("<mode>rw</mode>"))
refused("mode with digit 8", permissions("<mode>0798</mode>"))
refused("mode of four digits", permissions("<mode>1777</mode>"))
refused("mode too large", permissions("<mode>7777777777777</mode>"))
refused("mode negative", permissions("<mode>-1</mode>"))
refused("mode empty", permissions("<mode/>"))
refused("mode with blank", permissions("<mode> 0755</mode>"))
refused("mode with blank behind", permissions("<mode>0755 </mode>"))
refused("owner in words", permissions("<owner>root</owner>"))
refused("owner below -1", permissions("<owner>-2</owner>"))
refused("owner too large", permissions("<owner>4294967296</owner>"))
refused("owner largest", permissions("<owner>4294967295</owner>"))
refused("group in words", permissions("<group>root</group>"))
refused("group with fraction", permissions("<group>1.5</group>"))

# Features
refused("cow on netfs", source("netfs", "<host name='h'/><dir path='/e'/>", "<features><cow state='no'/></features>" + TARGET))
refused("cow on logical", pool("logical", "<features><cow state='yes'/></features>"))
refused("cow with unknown state", pool("dir", "<features><cow state='zz'/></features>"))
refused("cow without state", pool("dir", "<features><cow/></features>"))

# Sources by type
refused("fs without source", pool("fs", ""))
refused("fs with empty source", source("fs", ""))
refused("fs with unknown format", source("fs", "<device path='/dev/x'/><format type='foo'/>"))
refused("fs with format without type", source("fs", "<device path='/dev/x'/><format/>"))
refused("fs device without path", source("fs", "<device/>"))
refused("fs device with empty path", source("fs", "<device path=''/>"))
refused("fs without target", source("fs", "<device path='/dev/x'/>", ""))
refused("netfs without host", source("netfs", "<dir path='/e'/>"))
refused("netfs without dir", source("netfs", "<host name='h'/>"))
refused("netfs dir without path", source("netfs", "<host name='h'/><dir/>"))
refused("netfs host without name", source("netfs", "<host/><dir path='/e'/>"))
refused("netfs port in words", source("netfs", "<host name='h' port='abc'/><dir path='/e'/>"))
refused("netfs port with blank", source("netfs", "<host name='h' port='1 '/><dir path='/e'/>"))
refused("netfs port empty", source("netfs", "<host name='h' port=''/><dir path='/e'/>"))
refused("netfs port huge", source("netfs", "<host name='h' port='99999999999'/><dir path='/e'/>"))
refused("netfs with unknown format", source("netfs", "<host name='h'/><dir path='/e'/><format type='ext4'/>"))
refused("netfs version on cifs", source("netfs", "<host name='h'/><dir path='/e'/><format type='cifs'/><protocol ver='3'/>"))
refused("netfs version on glusterfs", source("netfs", "<host name='h'/><dir path='/e'/><format type='glusterfs'/><protocol ver='3'/>"))
refused("netfs version with comma", source("netfs", "<host name='h'/><dir path='/e'/><protocol ver='3,x'/>"))
refused("version on fs", source("fs", "<device path='/dev/x'/><protocol ver='3'/>"))
refused("logical with unknown format", source("logical", "<format type='lvm1'/>"))
refused("logical without names", "<pool type='logical'><source/></pool>")
refused("logical slash in source name", source("logical", "<name>a/b</name>"))
refused("disk without device", source("disk", ""))
refused("disk with unknown format", source("disk", "<device path='/dev/x'/><format type='lvm1'/>"))
refused("disk part_separator", source("disk", "<device path='/dev/x' part_separator='zz'/>"))
refused("disk without target", source("disk", "<device path='/dev/x'/>", ""))
refused("iscsi without host", source("iscsi", "<device path='iqn.x'/>"))
refused("iscsi without device", source("iscsi", "<host name='h'/>"))
refused("iscsi without target", source("iscsi", "<host name='h'/><device path='iqn.x'/>", ""))
refused("iscsi-direct without initiator", source("iscsi-direct", "<host name='h'/><device path='iqn.x'/>"))
refused("iscsi-direct without host", source("iscsi-direct", "<device path='iqn.x'/><initiator><iqn name='i'/></initiator>"))
refused("iscsi-direct without device", source("iscsi-direct", "<host name='h'/><initiator><iqn name='i'/></initiator>"))
refused("scsi without adapter", source("scsi", ""))
refused("scsi adapter with nothing", source("scsi", "<adapter/>"))
refused("scsi adapter of unknown type", source("scsi", "<adapter type='xx'/>"))
refused("scsi adapter without name", source("scsi", "<adapter type='scsi_host'/>"))
refused("scsi adapter with empty name", source("scsi", "<adapter type='scsi_host' name=''/>"))
refused("scsi old wwnn", source("scsi", "<adapter wwnn='20000000c9831b4b'/>"))
refused("scsi old parent", source("scsi", "<adapter name='host0' parent='x'/>"))
refused("scsi parentaddr without unique_id", source("scsi", "<adapter type='scsi_host'><parentaddr><address domain='0' bus='0' slot='1' function='0'/></parentaddr></adapter>"))
refused("scsi parentaddr without address", source("scsi", "<adapter type='scsi_host'><parentaddr unique_id='1'/></adapter>"))
refused("scsi parentaddr bad unique_id", source("scsi", "<adapter type='scsi_host'><parentaddr unique_id='x'><address domain='0' bus='0' slot='1' function='0'/></parentaddr></adapter>"))
refused("scsi parentaddr bad slot", source("scsi", "<adapter type='scsi_host'><parentaddr unique_id='1'><address domain='0' bus='0' slot='0x99' function='0'/></parentaddr></adapter>"))
refused("scsi name and parentaddr", source("scsi", "<adapter type='scsi_host' name='host1'><parentaddr unique_id='1'><address domain='0' bus='0' slot='1' function='0'/></parentaddr></adapter>"))
refused("fc_host without wwn", source("scsi", "<adapter type='fc_host'/>"))
refused("fc_host without wwpn", source("scsi", "<adapter type='fc_host' wwnn='20000000c9831b4b'/>"))
refused("fc_host malformed wwnn", source("scsi", "<adapter type='fc_host' wwnn='1' wwpn='2'/>"))
refused("fc_host malformed wwpn", source("scsi", "<adapter type='fc_host' wwnn='20000000c9831b4b' wwpn='2'/>"))
refused("fc_host bad managed", source("scsi", "<adapter type='fc_host' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b' managed='zz'/>"))
refused("fc_host parent_wwnn alone", source("scsi", "<adapter type='fc_host' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b' parent_wwnn='20000000c9831b4b'/>"))
refused("fc_host malformed parent_wwnn", source("scsi", "<adapter type='fc_host' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b' parent_wwnn='x' parent_wwpn='y'/>"))
refused("mpath without target", pool("mpath", "", ""))
refused("rbd without name", source("rbd", "<host name='h'/>"))
refused("rbd without host", source("rbd", "<name>p</name>"))
refused("rbd without source", pool("rbd", ""))
refused("gluster without host", source("gluster", "<name>v</name>"))
refused("gluster without name", source("gluster", "<host name='h'/>"))
refused("gluster without source", pool("gluster", ""))


# Authentication
def auth(inside):
    return source("rbd", "<name>p</name><host name='h'/>" + inside)


refused("auth without username", auth("<auth type='ceph'><secret usage='z'/></auth>"))
refused("auth without secret", auth("<auth type='ceph' username='u'/>"))
refused("auth of unknown type", auth("<auth type='zz' username='u'><secret usage='z'/></auth>"))
refused("auth without type", auth("<auth username='u'><secret usage='z'/></auth>"))
refused("auth with both", auth("<auth type='ceph' username='u'><secret usage='z' uuid='11111111-2222-3333-4444-555555555555'/></auth>"))
refused("auth with neither", auth("<auth type='ceph' username='u'><secret/></auth>"))
refused("auth with malformed uuid", auth("<auth type='ceph' username='u'><secret uuid='x'/></auth>"))
refused("auth with secret type", auth("<auth type='ceph' username='u'><secret type='iscsi' usage='z'/></auth>"))

# Refresh and namespaces
refused("refresh of unknown kind", pool("dir", "<refresh><volume allocation='zz'/></refresh>"))
refused("refresh without allocation", pool("dir", "<refresh><volume/></refresh>"))
FS = " xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'"
RBD = " xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'"
refused("fs option without name", "<pool type='fs'%s><name>e</name><source><device path='/dev/x'/></source>%s<fs:mount_opts><fs:option/></fs:mount_opts></pool>" % (FS, TARGET))
refused("fs option with empty name", "<pool type='fs'%s><name>e</name><source><device path='/dev/x'/></source>%s<fs:mount_opts><fs:option name=''/></fs:mount_opts></pool>" % (FS, TARGET))
for label, option in [
    ("without name", "<rbd:option value='1'/>"),
    ("with empty name", "<rbd:option name='' value='1'/>"),
    ("without value", "<rbd:option name='a'/>"),
    ("with empty value", "<rbd:option name='a' value=''/>"),
]:
    refused(
        "rbd option " + label,
        "<pool type='rbd'%s><name>e</name><source><name>p</name><host name='h'/></source><rbd:config_opts>%s</rbd:config_opts></pool>"
        % (RBD, option),
    )

# Order of checks: two faults each
refused("no name and no target", "<pool type='dir'/>")
refused("bad uuid and no target", "<pool type='dir'><name>e</name><uuid>x</uuid></pool>")
refused("unknown format and no name", "<pool type='fs'><source><device path='/x'/><format type='zz'/></source></pool>")
refused("bad mode and bad cow", "<pool type='dir'><name>e</name><features><cow state='zz'/></features><target><path>/x</path><permissions><mode>9</mode></permissions></target></pool>")
refused("newline in name and no target", "<pool type='dir'><name>e\nx</name></pool>")

# Flags
refused("flag 2", dir_pool("e"), 2)
refused("flag 2 and bad XML", "<", 2)
refused("all flags", dir_pool("e"), 0x7FFFFFFF)
refused("validate: no target", "<pool type='dir'><name>e</name></pool>", 1)
refused("validate: unknown element", dir_pool("e", extra="<zz/>"), 1)
refused("validate: unknown attribute", "<pool type='dir' zz='1'><name>e</name>%s</pool>" % TARGET, 1)
refused("validate: bad XML", "<pool", 1)
refused("validate: wrong root", "<volume/>", 1)
refused("validate: unknown type", "<pool type='foo'/>", 1)
refused("validate: empty", "", 1)
refused("validate: good", dir_pool("e"), 1)
step("read-only", connect_read_only().storagePoolDefineXML, dir_pool("e"), 0)
step("nothing is left", c.listAllStoragePools, 0)

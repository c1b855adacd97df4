"""What is written for pool documents of every type: live, inactive, and on disk."""

import os

from compat import ETC, connect, emit, fact, read_file, step

c = connect()
UUID = "<uuid>5e7a1f00-2222-3333-4444-555555555555</uuid>"
FS = "xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'"
RBD = "xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'"


def pool(kind, inside, name="k", attributes=""):
    named = "<name>%s</name>" % name if name is not None else ""
    return "<pool type='%s' %s>%s%s%s</pool>" % (kind, attributes, named, UUID, inside)


def target(path, more=""):
    return "<target><path>%s</path>%s</target>" % (path, more)


def shown(label, document):
    defined = step(label, c.storagePoolDefineXML, document, 0)
    if defined is None:
        return
    fact(label + ": live", defined.XMLDesc(0))
    if defined.XMLDesc(1) != defined.XMLDesc(0):
        emit(label + ": inactive differs", ok=defined.XMLDesc(1))
    fact(label + ": info", defined.info())
    for name in os.listdir(ETC + "/storage"):
        if name.endswith(".xml"):
            fact(label + ": file " + name, read_file("%s/storage/%s" % (ETC, name)))
    again = step(label + ": its own document again", c.storagePoolDefineXML, defined.XMLDesc(0), 0)
    if again is not None and again.XMLDesc(0) != defined.XMLDesc(0):
        emit(label + ": document changed", ok=again.XMLDesc(0))
    step(label + ": undefine", defined.undefine)


FULL = "<permissions><mode>0755</mode><owner>-1</owner><group>5</group><label>virt_image_t</label></permissions>"
shown("dir", pool("dir", target("/a/b")))
shown("dir with all permissions", pool("dir", "<features><cow state='no'/></features>" + target("/a//b///c/", FULL), "k&apos;&quot;&amp;&lt;\u00e9"))
shown("dir cow yes", pool("dir", "<features><cow state='yes'/></features>" + target("/x")))
shown("dir features empty", pool("dir", "<features/>" + target("/x")))
shown("dir permissions -1", pool("dir", target("//a/b", "<permissions><mode>-1</mode></permissions>")))
shown("dir owner -1", pool("dir", target("//a/b", "<permissions><owner>-1</owner><group>-1</group></permissions>")))
shown("dir permissions empty", pool("dir", target("/a/b", "<permissions/>")))
shown("dir mode 0", pool("dir", target("/a/b", "<permissions><mode>0</mode></permissions>")))
shown("dir mode without zero", pool("dir", target("/a/b", "<permissions><mode>755</mode></permissions>")))
shown("dir label only", pool("dir", target("/a/b", "<permissions><label>a&amp;b</label></permissions>")))
shown("dir label empty", pool("dir", target("/a/b", "<permissions><label/></permissions>")))
shown("dir three slashes", pool("dir", target("///a/b")))
shown("dir slash", pool("dir", target("/")))
shown("dir two slashes", pool("dir", target("//")))
shown("dir relative", pool("dir", target("rel/x/")))
shown("dir path with URL", pool("dir", target("file:///a//b/")))
shown("dir path with dots", pool("dir", target("/a/../b/./c")))
shown("dir path with blanks", pool("dir", target(" /a b ")))
shown("dir path with comment", pool("dir", target("/a<!-- c -->/b")))
shown("dir path with CDATA", pool("dir", target("<![CDATA[/a<b]]>")))
shown("dir unknown elements", pool("dir", "<zz/>" + target("/x", "<yy/>") + "<ww a='b'>t</ww>"))
shown("dir numbers given", pool("dir", "<capacity>5</capacity><allocation>zz</allocation><available>7</available>" + target("/x")))
shown("dir with source parts", pool("dir", "<source><host name='h'/><device path='/d'/><dir path='/s'/><name>n</name><format type='ext4'/><vendor name='v'/></source>" + target("/x")))
shown("dir two targets", pool("dir", target("/first") + target("/second")))
shown("dir two names", "<pool type='dir'><name>k</name><name>l</name>%s%s</pool>" % (UUID, target("/x")))
shown("dir refresh", pool("dir", target("/x") + "<refresh><volume allocation='default'/></refresh>"))
shown("dir refresh capacity", pool("dir", target("/x") + "<refresh><volume allocation='capacity'/></refresh>"))
shown("dir refresh empty", pool("dir", target("/x") + "<refresh/>"))
shown("uuid without dashes", "<pool type='dir'><name>k</name><uuid>5e7a1f00222233334444555555555555</uuid>%s</pool>" % target("/x"))
shown("uuid in capitals", "<pool type='dir'><name>k</name><uuid> 5E7A1F00-2222-3333-4444-555555555555\n</uuid>%s</pool>" % target("/x"))
shown("uuid with odd dashes", "<pool type='dir'><name>k</name><uuid>5e-7a-1f00-2222-3333 4444-5555-5555-5555</uuid>%s</pool>" % target("/x"))
shown("uuid zero", "<pool type='dir'><name>k</name><uuid>00000000-0000-0000-0000-000000000000</uuid>%s</pool>" % target("/x"))
shown("name with blanks", pool("dir", target("/x"), " a b "))
shown("name with dashes", pool("dir", target("/x"), "a--b"))
shown("name with quote", pool("dir", target("/x"), "a'b"))
shown("name with star", pool("dir", target("/x"), "a*b;c$d"))
shown("name with dot", pool("dir", target("/x"), ".hidden"))
shown("name of dots", pool("dir", target("/x"), ".."))
shown("name in utf-8", pool("dir", target("/ü/日本"), "pöol-日本"))
shown("name long", pool("dir", target("/x"), "n" * 240))
shown("name with tab", pool("dir", target("/x"), "a\tb"))
shown("document in latin-1", "<?xml version='1.0' encoding='ISO-8859-1'?><pool type='dir'><name>k</name>%s%s</pool>" % (UUID, target("/x")))

shown("fs", pool("fs", "<source><device path='/dev/sdb1'/><format type='xfs'/></source>" + target("/x")))
for form in "auto ext2 ext3 ext4 ufs iso9660 udf gfs gfs2 vfat hfs+ xfs ocfs2 vmfs".split():
    shown("fs " + form, pool("fs", "<source><device path='/dev/sdb1'/><format type='%s'/></source>" % form + target("/x")))
shown("fs without format", pool("fs", "<source><device path='/dev//sdb1/'/></source>" + target("/x/")))
shown("fs two devices", pool("fs", "<source><device path='/dev/sdb1'/><device path='/dev/sdc1'/></source>" + target("/x")))
shown("fs options", pool("fs", "<source><device path='/dev/sdb1'/></source>" + target("/x") + "<fs:mount_opts><fs:option name='sync'/><fs:option name='a=b,c'/></fs:mount_opts>", attributes=FS))
shown("fs options empty", pool("fs", "<source><device path='/dev/sdb1'/></source>" + target("/x") + "<fs:mount_opts/>", attributes=FS))
shown("fs cow", pool("fs", "<features><cow state='yes'/></features><source><device path='/dev/sdb1'/></source>" + target("/x")))
shown("netfs", pool("netfs", "<source><host name='h1' port='1'/><host name='h2'/><dir path='/e//x/'/><format type='nfs'/><protocol ver='4.1'/><vendor name='V'/><product name='P'/></source>" + target("/x")))
for form in "auto nfs glusterfs cifs".split():
    shown("netfs " + form, pool("netfs", "<source><host name='h'/><dir path='/e'/><format type='%s'/></source>" % form + target("/x")))
shown("netfs version auto", pool("netfs", "<source><host name='h'/><dir path='/e'/><protocol ver='3'/></source>" + target("/x")))
shown("netfs version empty", pool("netfs", "<source><host name='h'/><dir path='/e'/><protocol ver=''/></source>" + target("/x")))
shown("netfs port 0", pool("netfs", "<source><host name='h' port='0'/><dir path='/e'/></source>" + target("/x")))
shown("netfs port -1", pool("netfs", "<source><host name='h' port='-1'/><dir path='/e'/></source>" + target("/x")))
shown("netfs other prefix", "<pool type='netfs' xmlns:q='http://libvirt.org/schemas/storagepool/fs/1.0'><name>k</name>%s<source><host name='h1'/><dir path='/e'/></source>%s<q:mount_opts><q:option name='sync'/></q:mount_opts></pool>" % (UUID, target("/x")))
shown("netfs host in IPv6", pool("netfs", "<source><host name='fe80::1'/><dir path='/e'/></source>" + target("/x")))
shown("logical", pool("logical", "<source><device path='/dev/sda'/><name>vg</name><format type='lvm2'/></source>" + target("/dev/other", "<permissions><mode>0700</mode></permissions>")))
shown("logical without source", pool("logical", ""))
shown("logical without name", pool("logical", "<source><name>vg</name></source>", None))
shown("logical unknown", pool("logical", "<source><format type='unknown'/></source>"))
shown("disk", pool("disk", "<source><device path='/dev/sda' part_separator='yes'/><format type='gpt'/></source>" + target("/dev")))
shown("disk part_separator no", pool("disk", "<source><device path='/dev/sda' part_separator='no'/></source>" + target("/dev")))
for form in "unknown dos dvh gpt mac bsd pc98 sun lvm2".split():
    shown("disk " + form, pool("disk", "<source><device path='/dev/sda'/><format type='%s'/></source>" % form + target("/dev")))
shown("disk extents given", pool("disk", "<source><device path='/dev/sda'><freeExtent start='1' end='2'/></device></source>" + target("/dev")))
shown("iscsi", pool("iscsi", "<source><host name='h' port='3261'/><device path='iqn.x'/><initiator><iqn name='iqn.i'/></initiator><auth type='chap' username='u'><secret usage='z'/></auth><vendor name='v'/></source>" + target("/dev/disk/by-path")))
shown("iscsi plain", pool("iscsi", "<source><host name='h'/><device path='iqn.x'/></source>" + target("/dev/disk/by-path")))
shown("iscsi auth by uuid", pool("iscsi", "<source><host name='h'/><device path='iqn.x'/><auth type='chap' username='u'><secret uuid='5E7A1F00-aaaa-bbbb-cccc-dddddddddddd'/></auth></source>" + target("/dev/disk/by-path")))
shown("iscsi auth ceph", pool("iscsi", "<source><host name='h'/><device path='iqn.x'/><auth type='ceph' username='u'><secret usage='z'/></auth></source>" + target("/dev/disk/by-path")))
shown("iscsi initiator empty", pool("iscsi", "<source><host name='h'/><device path='iqn.x'/><initiator/></source>" + target("/dev/disk/by-path")))
shown("iscsi-direct", pool("iscsi-direct", "<source><host name='h'/><device path='iqn.x'/><initiator><iqn name='iqn.i'/></initiator></source>" + target("/x")))
shown("scsi", pool("scsi", "<source><adapter name='host0'/></source>" + target("/dev/disk/by-path")))
shown("scsi typed", pool("scsi", "<source><adapter type='scsi_host' name='scsi_host0'/></source>" + target("/dev/disk/by-path")))
shown("scsi parent", pool("scsi", "<source><adapter type='scsi_host'><parentaddr unique_id='1'><address domain='0x0000' bus='0x00' slot='0x1f' function='0x2'/></parentaddr></adapter></source>" + target("/dev/disk/by-path")))
shown("scsi parent in decimals", pool("scsi", "<source><adapter type='scsi_host'><parentaddr unique_id='12'><address domain='0' bus='10' slot='11' function='1'/></parentaddr></adapter></source>" + target("/dev/disk/by-path")))
shown("scsi fc_host", pool("scsi", "<source><adapter type='fc_host' parent='scsi_host3' managed='yes' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'/></source>" + target("/dev/disk/by-path")))
shown("scsi fc_host fabric", pool("scsi", "<source><adapter type='fc_host' parent_fabric_wwn='20000000c9831b4c' managed='no' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'/></source>" + target("/dev/disk/by-path")))
shown("scsi fc_host parent wwns", pool("scsi", "<source><adapter type='fc_host' parent_wwnn='20000000c9831b4d' parent_wwpn='20000000c9831b4e' wwnn='20000000C9831B4B' wwpn='10000000c9831b4b'/></source>" + target("/dev/disk/by-path")))
shown("mpath", pool("mpath", target("/dev/mapper/")))
shown("rbd", pool("rbd", "<source><name>rbdp</name><host name='m1' port='6789'/><host name='m2'/><auth type='ceph' username='admin'><secret uuid='5e7a1f01-3a88-3ceb-bc12-0ac909a6fd87'/></auth></source><refresh><volume allocation='capacity'/></refresh><rbd:config_opts><rbd:option name='client_mount_timeout' value='45'/></rbd:config_opts>", attributes=RBD))
shown("rbd plain", pool("rbd", "<source><name>rbd/p</name><host name='h'/></source>" + target("/ignored")))
shown("rbd auth chap", pool("rbd", "<source><name>p</name><host name='h'/><auth type='chap' username='a'><secret usage='u'/></auth></source>"))
shown("gluster", pool("gluster", "<source><host name='h'/><name>vol</name></source>"))
shown("gluster dir", pool("gluster", "<source><host name='h' port='7'/><dir path='/sub//d/'/><name>vol</name></source>"))
shown("zfs", pool("zfs", "<source><name>tank/vols</name><device path='/dev/a'/><device path='/dev/b'/></source>" + target("/ignored")))
shown("zfs without source", pool("zfs", ""))

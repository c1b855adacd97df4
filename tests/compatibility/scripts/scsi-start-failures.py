"""Starting pools whose SCSI host, parent or target is not there: what is found out without any such hardware."""

from compat import connect, fact, step

c = connect()
NAMES = "wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'"
ADDRESS = "<address domain='0x0000' bus='0x00' slot='0x1f' function='0x2'/>"
ADAPTERS = {
    "bad name": "<adapter name='bad'/>",
    "no number": "<adapter type='scsi_host' name='host'/>",
    "number and more": "<adapter type='scsi_host' name='host3x'/>",
    "absent host": "<adapter type='scsi_host' name='scsi_host97'/>",
    "absent fc name": "<adapter type='scsi_host' name='fc_host97'/>",
    "absent address": "<adapter type='scsi_host'><parentaddr unique_id='7'>%s</parentaddr></adapter>" % ADDRESS,
    "fc without parent": "<adapter type='fc_host' %s/>" % NAMES,
    "fc managed without parent": "<adapter type='fc_host' managed='yes' %s/>" % NAMES,
    "fc with a bad parent": "<adapter type='fc_host' parent='bad' %s/>" % NAMES,
    "fc with an absent parent": "<adapter type='fc_host' parent='scsi_host97' %s/>" % NAMES,
    "fc with absent names of a parent": "<adapter type='fc_host' parent_wwnn='2000000000000001' parent_wwpn='1000000000000001' %s/>"
    % NAMES,
    "only digits": "<adapter name='97'/>",
    "fc with an absent fabric": "<adapter type='fc_host' parent_fabric_wwn='2000000000000001' %s/>" % NAMES,
}
for label, adapter in ADAPTERS.items():
    for target in ("/dev/disk/by-id", "/nowhere"):
        document = "<pool type='scsi'><name>p</name><source>%s</source><target><path>%s</path></target></pool>" % (
            adapter,
            target,
        )
        pool = step("%s, %s: define" % (label, target), c.storagePoolDefineXML, document, 0)
        if pool is None:
            continue
        step("%s, %s: build" % (label, target), pool.build, 0)
        step("%s, %s: start" % (label, target), pool.create, 0)
        step("%s, %s: delete" % (label, target), pool.delete, 0)
        step("%s, %s: is active" % (label, target), pool.isActive)
        step("%s, %s: undefine" % (label, target), pool.undefine)

ISCSI = "<pool type='iscsi'><name>p</name><source>%s</source><target><path>/dev/disk/by-path</path></target></pool>"
HOST = "<host name='127.0.0.1'/>"
DEVICE = "<device path='iqn.2004-04.org.example:none'/>"
for label, source in {
    "two hosts": HOST + "<host name='127.0.0.2'/>" + DEVICE,
    "two targets": HOST + DEVICE + "<device path='iqn.2004-04.org.example:other'/>",
    "no target": HOST,
    "no host": DEVICE,
}.items():
    pool = step("iscsi, %s: define" % label, c.storagePoolDefineXML, ISCSI % source, 0)
    if pool is None:
        continue
    step("iscsi, %s: start" % label, pool.create, 0)
    step("iscsi, %s: undefine" % label, pool.undefine)

MPATH = "<pool type='mpath'><name>p</name><target><path>/dev/mapper</path></target></pool>"
pool = c.storagePoolDefineXML(MPATH, 0)
step("mpath: start", pool.create, 0)
if pool.isActive():
    fact("mpath: volumes", pool.listVolumes())
    fact("mpath: document", pool.XMLDesc(0))
    step("mpath: refresh", pool.refresh, 0)
    step("mpath: volume", pool.createXML, "<volume><name>v</name><capacity>1</capacity></volume>", 0)
    step("mpath: stop", pool.destroy)
step("mpath: delete", pool.delete, 0)
step("mpath: undefine", pool.undefine)

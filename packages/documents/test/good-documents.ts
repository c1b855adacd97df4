// Documents written for the tests, a rich one per pool type and several volumes and secrets. Together with the recorded
// ones they are the ground from which mutations start.

const UUID = "5e7a1f00-2222-3333-4444-555555555555";
const HEAD = `<name>a</name><uuid>${UUID}</uuid><capacity unit='bytes'>0</capacity><allocation>0</allocation><available unit='GiB'>0</available>`;
const PERMISSIONS =
  "<permissions><mode>0755</mode><owner>-1</owner><group>107</group><label>virt_image_t</label></permissions>";
const TARGET = `<target><path>/srv/images</path>${PERMISSIONS}</target>`;
const COW = "<features><cow state='yes'/></features>";
const SELLER = "<vendor name='Acme'/><product name='Disk'/>";
const CEPH_AUTH = "<auth type='ceph' username='admin'><secret usage='ceph key'/></auth>";
const CHAP_AUTH = `<auth type='chap' username='u'><secret uuid='${UUID}'/></auth>`;
const FS = "xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'";
const RBD = "xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'";
const INITIATOR = "<initiator><iqn name='iqn.2026-01.org.example:i'/></initiator>";
const PORTAL = "<host name='10.0.0.1' port='3260'/><device path='iqn.2026-01.org.example:t'/>";

export const POOLS: readonly string[] = [
  `<pool type='dir'>${HEAD}${COW}<source>${SELLER}</source>${TARGET}</pool>`,
  `<pool type='dir'><name>plain</name><target><path>/srv/images</path></target></pool>`,
  `<pool type='fs' ${FS}>${HEAD}${COW}<source><device path='/dev/sdb1'/><format type='xfs'/>${SELLER}</source>${TARGET}<fs:mount_opts><fs:option name='sync'/><fs:option name='lazytime'/></fs:mount_opts></pool>`,
  `<pool type='netfs' ${FS}>${HEAD}<source><host name='nas.example.org'/><dir path='/export/a'/><format type='nfs'/><protocol ver='4.1'/>${SELLER}</source>${TARGET}<fs:mount_opts><fs:option name='sync'/></fs:mount_opts></pool>`,
  `<pool type='netfs'><name>share</name><source><host name='nas' port='24007'/><dir path='volume'/><format type='glusterfs'/></source><target><path>/mnt</path></target></pool>`,
  `<pool type='logical'>${HEAD}<source><device path='/dev/sda'/><device path='/dev/sdb'/><name>vg</name><format type='lvm2'/></source><target><path>/dev/vg</path>${PERMISSIONS}</target></pool>`,
  `<pool type='disk'>${HEAD}<source><device path='/dev/sda' part_separator='yes'><freeExtent start='512' end='1024'/></device><format type='gpt'/>${SELLER}</source><target><path>/dev</path></target></pool>`,
  `<pool type='iscsi'>${HEAD}<source>${PORTAL}${INITIATOR}${CHAP_AUTH}${SELLER}</source><target><path>/dev/disk/by-path</path></target></pool>`,
  `<pool type='iscsi-direct'><name>a</name><source>${PORTAL}${INITIATOR}</source></pool>`,
  `<pool type='scsi'>${HEAD}<source><adapter type='scsi_host' name='scsi_host3'/>${SELLER}</source><target><path>/dev/disk/by-path</path></target></pool>`,
  `<pool type='scsi'><name>a</name><source><adapter type='scsi_host'><parentaddr unique_id='1'><address domain='0x0000' bus='0x00' slot='0x1f' function='0x2'/></parentaddr></adapter></source><target><path>/dev/disk/by-path</path></target></pool>`,
  `<pool type='scsi'><name>a</name><source><adapter type='fc_host' parent='scsi_host3' managed='yes' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'/></source><target><path>/dev/disk/by-path</path></target></pool>`,
  `<pool type='mpath'>${HEAD}<source/><target><path>/dev/mapper</path></target></pool>`,
  `<pool type='rbd' ${RBD}>${HEAD}<source><host name='m1' port='6789'/><name>pool</name>${CEPH_AUTH}</source><refresh><volume allocation='capacity'/></refresh><rbd:config_opts><rbd:option name='client_mount_timeout' value='45'/></rbd:config_opts></pool>`,
  `<pool type='sheepdog'>${HEAD}<source><host name='localhost' port='7000'/><name>sheep</name></source></pool>`,
  `<pool type='gluster'>${HEAD}<source><host name='g1'/><dir path='/sub'/><name>volume</name></source></pool>`,
  `<pool type='zfs'>${HEAD}<source><device path='/dev/ada1'/><name>tank</name></source><target><path>/dev/zvol/tank</path></target></pool>`,
  `<pool type='vstorage'>${HEAD}<source><name>cluster</name></source>${TARGET}</pool>`,
];

const TIMES =
  "<timestamps><atime>1</atime><mtime>1341933637.273190990</mtime><ctime>2.5</ctime><btime>0</btime></timestamps>";
const SECRET = `<secret type='passphrase' uuid='${UUID}'/>`;

export const VOLUMES: readonly string[] = [
  `<volume><name>plain.img</name><capacity unit='GiB'>1</capacity><target/></volume>`,
  `<volume type='file'><name>a.qcow2</name><key>/srv/a.qcow2</key><source/><capacity unit='bytes'>1048576</capacity><allocation unit='bytes'>200704</allocation><physical unit='bytes'>196616</physical><target><path>/srv/a.qcow2</path><format type='qcow2'/>${PERMISSIONS}${TIMES}<compat>1.1</compat><nocow/><clusterSize unit='KiB'>64</clusterSize><features><lazy_refcounts/><extended_l2/></features></target><backingStore><path>/srv/base</path><format type='raw'/>${PERMISSIONS}${TIMES}</backingStore></volume>`,
  `<volume type='block'><name>lv</name><key>k</key><source><device path='/dev/sda'><extent start='0' end='4096'/><extent start='8192' end='12288'/></device></source><capacity>4096</capacity><allocation>4096</allocation><target><path>/dev/vg/lv</path></target></volume>`,
  `<volume><name>luks.img</name><capacity unit='G'>5</capacity><target><format type='raw'/><encryption format='luks' engine='qemu'>${SECRET}<cipher name='aes' size='256' mode='cbc' hash='sha256'/><ivgen name='essiv' hash='sha256'/></encryption></target></volume>`,
  `<volume type='network'><name>image</name><key>rbd/image</key><capacity>1</capacity><target><path>rbd/image</path><format type='raw'/></target></volume>`,
  `<volume type='block'><name>sda1</name><capacity>1</capacity><target><format type='linux-swap'/></target></volume>`,
];

export const SECRETS: readonly string[] = [
  "<secret/>",
  `<secret ephemeral='no' private='yes'><uuid>${UUID}</uuid><description>LUKS</description><usage type='volume'><volume>/srv/a</volume></usage></secret>`,
  "<secret ephemeral='yes'><usage type='ceph'><name>client.admin secret</name></usage></secret>",
  "<secret><usage type='iscsi'><target>libvirtiscsi</target></usage></secret>",
  "<secret><usage type='tls'><name>a</name></usage></secret>",
  "<secret><usage type='vtpm'><name>a</name></usage></secret>",
];

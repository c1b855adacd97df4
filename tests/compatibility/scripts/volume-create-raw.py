"""Raw volumes in a directory pool: sizes, allocation, units, permissions, what is on disk."""

import os

from compat import WORK, active_pool, connect, fact, file_facts, step

c = connect()
pool = active_pool(c, "p")


def made(label, inside, flags=0):
    """Creates a volume from the inside of its element, shows everything about it and deletes it."""
    before = pool.info()
    created = step(label, pool.createXML, "<volume>%s</volume>" % inside, flags)
    if created is None:
        fact(label + ": directory", os.listdir(WORK + "/p"))
        fact(label + ": pool's numbers", pool.info() == before)
        return
    after = pool.info()
    fact(label + ": pool's numbers", [after[number] - before[number] for number in range(4)])
    fact(label + ": key and path", [created.name(), created.key(), created.path()])
    step(label + ": info", created.info)
    step(label + ": physical", created.infoFlags, 1)
    step(label + ": document", created.XMLDesc, 0)
    fact(label + ": file", file_facts(created.path()) if os.path.isfile(created.path()) else oct(os.stat(created.path()).st_mode))
    pool.refresh(0)
    step(label + ": document after refresh", created.XMLDesc, 0)
    step(label + ": delete", created.delete, 0)
    fact(label + ": pool's numbers in the end", pool.info() == before)


NAME = "<name>v</name>"
made("fully allocated", NAME + "<capacity>1048576</capacity>")
made("sparse", NAME + "<capacity>1048576</capacity><allocation>0</allocation>")
made("half", NAME + "<capacity>1048576</capacity><allocation>524288</allocation>")
made("odd allocation", NAME + "<capacity>1048576</capacity><allocation>5000</allocation>")
made("more than capacity", NAME + "<capacity>1048576</capacity><allocation>2097152</allocation>")
made("capacity 0", NAME + "<capacity>0</capacity>")
made("capacity 0, allocation 1 MiB", NAME + "<capacity>0</capacity><allocation>1048576</allocation>")
made("capacity 1", NAME + "<capacity>1</capacity>")
made("capacity 1000", NAME + "<capacity>1000</capacity>")
made("capacity 1 GiB sparse", NAME + "<capacity unit='G'>1</capacity><allocation>0</allocation>")
made("too large to allocate", NAME + "<capacity unit='G'>3</capacity>")
made("larger than the file system allows", NAME + "<capacity unit='E'>7</capacity><allocation>0</allocation>")
for unit in ("b", "byte", "bytes", "B", "BYTES", "k", "K", "KB", "kb", "KiB", "kib", "M", "MB", "MiB", "m", ""):
    made("unit " + unit, NAME + "<capacity unit='%s'>3</capacity><allocation>0</allocation>" % unit)
for unit in ("G", "GB", "GiB", "T", "TB", "TiB"):
    made("unit " + unit, NAME + "<capacity unit='%s'>1</capacity><allocation unit='k'>4</allocation>" % unit)
for unit in ("P", "PB", "PiB", "E", "EB", "EiB"):
    made("unit " + unit, NAME + "<capacity unit='%s'>1</capacity><allocation>0</allocation>" % unit)
for unit in ("zz", "xiB", "iB", "Mi", "bit", " M", "M ", "KK", "Z", "YB"):
    made("bad unit " + unit, NAME + "<capacity unit='%s'>1</capacity>" % unit)
for text in (" 5", "+5", "5 ", "5.0", "0x10", "-5", "+", "", " ", "5k", "1e3", "\n7", "\u0665", "18446744073709551615", "9223372036854775807", "9223372036854775808", "99999999999999999999"):
    made("capacity %r" % text, NAME + "<capacity>%s</capacity><allocation>0</allocation>" % text)
made("capacity 9E", NAME + "<capacity unit='E'>9</capacity>")
made("allocation bad", NAME + "<capacity>5</capacity><allocation>zz</allocation>")
made("allocation bad unit", NAME + "<capacity>5</capacity><allocation unit='zz'>5</allocation>")
made("allocation empty", NAME + "<capacity>5000</capacity><allocation/>")
made("allocation negative", NAME + "<capacity>5000</capacity><allocation>-1</allocation>")

SMALL = "<capacity>4096</capacity><allocation>0</allocation>"


def target(inside):
    return NAME + SMALL + "<target>%s</target>" % inside


for mode in ("0644", "644", "0", "0777", "0600", "1644", "888", "-1", "", "x"):
    made("mode %r" % mode, target("<permissions><mode>%s</mode></permissions>" % mode))
made("owner", target("<permissions><mode>0640</mode><owner>12</owner><group>34</group></permissions>"))
made("owner without mode", target("<permissions><owner>12</owner><group>34</group></permissions>"))
made("owner only", target("<permissions><owner>12</owner></permissions>"))
made("group only", target("<permissions><group>34</group></permissions>"))
made("owner -1", target("<permissions><mode>0640</mode><owner>-1</owner><group>-1</group></permissions>"))
made("label", target("<permissions><mode>0640</mode><label>virt_image_t</label></permissions>"))
made("permissions empty", target("<permissions/>"))
made("format raw", target("<format type='raw'/>"))
made("format empty", target("<format type=''/>"))
made("format without type", target("<format/>"))
made("compat", target("<compat>1.1</compat>"))
made("features", target("<features><lazy_refcounts/></features>"))
made("cluster size", target("<clusterSize>65536</clusterSize>"))
made("nocow", target("<nocow/>"))
made("key and path given", NAME + SMALL + "<key>/other</key><target><path>/other</path></target>")
made("type given", "<name>v</name>" + SMALL + "<type>block</type>")
made("timestamps given", target("<timestamps><atime>1</atime><mtime>2.5</mtime></timestamps>"))
made("source given", NAME + SMALL + "<source><device path='/x'><extent start='1' end='2'/></device></source>")
made("physical given", NAME + SMALL + "<physical>5</physical>")
made("unknown elements", NAME + SMALL + "<zz/><target><yy/></target>")
made("preallocate metadata", target("<format type='raw'/>"), 1)

for name in (".hidden", "with blank", " lead", "a'b\"c&amp;d&lt;e&gt;f", "pöol-日本", "..x", "-dash", "n" * 255, "a:b,c=d", "new\nline", "tab\tbed", "back\\slash"):
    made("name %s" % name[:40], "<name>%s</name>%s" % (name, SMALL))
for name in ("n" * 256, ".", "..", "a/b", "/", "/a", ""):
    made("bad name %s" % name[:40], "<name>%s</name>%s" % (name, SMALL))
for kind in ("file", "block", "dir", "network", "netdir", "ploop", "zz", ""):
    document = "<volume type='%s'>%s%s</volume>" % (kind, NAME, SMALL)
    created = step("type %s" % kind, pool.createXML, document, 0)
    if created is not None:
        step("type %s: document" % kind, created.XMLDesc, 0)
        created.delete(0)

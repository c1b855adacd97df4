"""Volumes made by qemu-img: every format and option, what is written and what is shown before and after a refresh."""

from compat import WORK, active_pool, connect, fact, image_facts, left_behind, qemu_img, step, volume, write_file

c = connect()
pool = active_pool(c, "p")


def made(label, document, flags=0):
    created = step(label, pool.createXML, document, flags)
    if created is None:
        left_behind(label, "p", "v")
        return
    step(label + ": info", created.info)
    step(label + ": physical", created.infoFlags, 1)
    step(label + ": document", created.XMLDesc, 0)
    fact(label + ": image", image_facts(created.path()) if created.info()[0] == 0 else None)
    pool.refresh(0)
    step(label + ": document after refresh", created.XMLDesc, 0)
    step(label + ": info after refresh", created.info)
    created.delete(0)


for form in ("qcow2", "qcow", "qed", "vmdk", "vdi", "vpc", "iso", "raw"):
    made(form, volume("v", form))
    made(form + " of 1000 bytes", volume("v", form, 1000))
    made(form + " of 0 bytes", volume("v", form, 0))
    made(form + " of 10 GiB", volume("v", form, 10 << 30, extra="<allocation>0</allocation>"))
    made(form + " with owner", volume("v", form, target="<permissions><mode>0640</mode><owner>12</owner><group>34</group></permissions>"))
for compat in ("0.10", "1.1"):
    made("qcow2 compat " + compat, volume("v", "qcow2", target="<compat>%s</compat>" % compat))
made("qcow2 features empty", volume("v", "qcow2", target="<features/>"))
made("qcow2 lazy_refcounts", volume("v", "qcow2", target="<features><lazy_refcounts/></features>"))
made("qcow2 extended_l2", volume("v", "qcow2", target="<features><extended_l2/></features>"))
made("qcow2 both features", volume("v", "qcow2", target="<features><lazy_refcounts/><extended_l2/></features>"))
for size in (512, 4096, 65536, 131072, 2097152):
    made("qcow2 clusters of %d" % size, volume("v", "qcow2", target="<clusterSize unit='B'>%d</clusterSize>" % size))
made("qcow2 nocow", volume("v", "qcow2", target="<nocow/>"))
made("qcow2 with all", volume("v", "qcow2", target="<compat>1.1</compat><clusterSize unit='KiB'>128</clusterSize><features><lazy_refcounts/></features><nocow/>"))
made("qcow2 preallocated", volume("v", "qcow2"), 1)
made("qcow2 preallocated sparse", volume("v", "qcow2", extra="<allocation>0</allocation>"), 1)
made("qcow2 preallocated half", volume("v", "qcow2", extra="<allocation>524288</allocation>"), 1)
made("qcow2 allocated", volume("v", "qcow2", extra="<allocation>1048576</allocation>"))
made("qcow2 allocated too much", volume("v", "qcow2", extra="<allocation>9999999</allocation>"))
made("qcow2 preallocated with compat", volume("v", "qcow2", target="<compat>1.1</compat>"), 1)

raw_base = write_file("base.raw", b"\0" * 1000000)
qcow2_base = WORK + "/base.qcow2"
qemu_img("create", "-q", "-f", "qcow2", qcow2_base, "3M")
in_pool = pool.createXML(volume("inside.qcow2", "qcow2", 5 << 20), 0)


def backed(path, form=None, more=""):
    return "<backingStore><path>%s</path>%s%s</backingStore>" % (path, "<format type='%s'/>" % form if form else "", more)


for form in ("qcow2", "qcow", "qed", "vmdk"):
    made(form + " on raw", volume("v", form, extra=backed(raw_base, "raw")))
    made(form + " on qcow2", volume("v", form, extra=backed(qcow2_base, "qcow2")))
made("qcow2 on a volume", volume("v", "qcow2", extra=backed(in_pool.path(), "qcow2")))
made("qcow2 on a volume by its name", volume("v", "qcow2", extra=backed("inside.qcow2", "qcow2")))
made("qcow2 on raw without format", volume("v", "qcow2", extra=backed(raw_base)))
made("qcow2 on qcow2 without format", volume("v", "qcow2", extra=backed(qcow2_base)))
made("qcow2 on qcow2 called raw", volume("v", "qcow2", extra=backed(qcow2_base, "raw")))
made("qcow2 without capacity", "<volume><name>v</name><target><format type='qcow2'/></target>%s</volume>" % backed(qcow2_base, "qcow2"))
made("qcow2 without capacity on raw", "<volume><name>v</name><target><format type='qcow2'/></target>%s</volume>" % backed(raw_base, "raw"))
made("qcow2 of capacity 0 on qcow2", volume("v", "qcow2", 0, extra=backed(qcow2_base, "qcow2")))
made("qcow2 with backing permissions", volume("v", "qcow2", extra=backed(qcow2_base, "qcow2", "<permissions><mode>0744</mode><owner>1</owner><group>1</group><label>l</label></permissions>")))
made("qcow2 on odd path", volume("v", "qcow2", extra=backed(write_file("a,b:c=d e.raw", b"\0" * 4096), "raw")))

for name in ("a,b=c.qcow2", "json:x.qcow2", "nbd:x.qcow2", "-x.qcow2", "with blank.qcow2", "ü.qcow2"):
    made("qcow2 named " + name, volume(name, "qcow2"))
    made("vdi named " + name, volume(name, "vdi"))
made("directory", volume("d", "dir", 0))
made("directory with mode", volume("d", "dir", 0, target="<permissions><mode>0750</mode><owner>12</owner><group>34</group></permissions>"))

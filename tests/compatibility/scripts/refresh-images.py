"""What a refresh reads in images made by qemu-img: formats, versions, options, encryption, backing chains."""

import os

from compat import WORK, connect, defined_pool, fact, qemu_img, step, write_file
from image_headers import qcow

c = connect()
P = WORK + "/p/"
os.mkdir(P)
os.mkdir(WORK + "/elsewhere")


def make(name, form, size="1M", *options):
    qemu_img("create", "-q", "-f", form, *options, P + name, *([size] if size else []))


for form in ("raw", "qcow", "qcow2", "qed", "vmdk", "vdi", "vpc", "parallels", "vhdx"):
    make("plain." + form, form)
make("v2.qcow2", "qcow2", "1M", "-o", "compat=0.10")
make("lazy.qcow2", "qcow2", "1M", "-o", "lazy_refcounts=on")
make("extl2.qcow2", "qcow2", "1M", "-o", "extended_l2=on,cluster_size=128k")
make("both.qcow2", "qcow2", "1M", "-o", "extended_l2=on,lazy_refcounts=on,cluster_size=128k")
make("zstd.qcow2", "qcow2", "1M", "-o", "compression_type=zstd")
make("datafile.qcow2", "qcow2", "1M", "-o", "data_file=%s/elsewhere/data" % WORK)
make("cluster512.qcow2", "qcow2", "1M", "-o", "cluster_size=512")
make("cluster2M.qcow2", "qcow2", "1M", "-o", "cluster_size=2M")
make("metadata.qcow2", "qcow2", "1M", "-o", "preallocation=metadata")
make("full.qcow2", "qcow2", "1M", "-o", "preallocation=full")
make("huge.qcow2", "qcow2", "8T")
make("zero.qcow2", "qcow2", "0")
make("odd.qcow2", "qcow2", "1000001")
make("fixed.vpc", "vpc", "1M", "-o", "subformat=fixed")
make("fixed.vdi", "vdi", "1M", "-o", "static=on")
make("stream.vmdk", "vmdk", "1M", "-o", "subformat=streamOptimized")

# Backing
make("base.raw", "raw")
make("base.qcow2", "qcow2", "2M")
qemu_img("create", "-q", "-f", "qcow2", WORK + "/elsewhere/far.qcow2", "3M")
make("on-raw.qcow2", "qcow2", None, "-b", P + "base.raw", "-F", "raw")
make("on-qcow2.qcow2", "qcow2", None, "-b", P + "base.qcow2", "-F", "qcow2")
make("chain.qcow2", "qcow2", None, "-b", P + "on-qcow2.qcow2", "-F", "qcow2")
make("relative.qcow2", "qcow2", None, "-b", "base.qcow2", "-F", "qcow2")
make("far.qcow2", "qcow2", None, "-b", "../elsewhere/far.qcow2", "-F", "qcow2")
make("wrong-format.qcow2", "qcow2", "1M", "-u", "-b", "base.qcow2", "-F", "raw")
write_file("p/no-format.qcow2", qcow(3, backing=b"base.qcow2"))
write_file("p/no-format-raw.qcow2", qcow(3, backing=b"base.raw"))
make("v2-backed.qcow2", "qcow2", "1M", "-u", "-o", "compat=0.10", "-b", "base.qcow2", "-F", "qcow2")
make("odd-format.qcow2", "qcow2", "1M", "-u", "-b", "base.raw", "-F", "host_device")
make("nbd-format.qcow2", "qcow2", "1M", "-u", "-b", "base.raw", "-F", "nbd")
make("missing.qcow2", "qcow2", "1M", "-u", "-b", "missing.raw", "-F", "raw")
make("missing-dir.qcow2", "qcow2", "1M", "-u", "-b", "nowhere/missing.raw", "-F", "raw")
write_file("p/missing-no-format.qcow2", qcow(3, backing=b"missing.raw"))
make("self.qcow2", "qcow2", "1M", "-u", "-b", "self.qcow2", "-F", "qcow2")
make("directory.qcow2", "qcow2", "1M", "-u", "-b", WORK + "/elsewhere", "-F", "raw")
make("nbd.qcow2", "qcow2", "1M", "-u", "-b", "nbd://example.org:10809/x", "-F", "raw")
write_file("p/nbd-no-format.qcow2", qcow(3, backing=b"nbd:example.org:10809"))
make("json.qcow2", "qcow2", "1M", "-u", "-b", 'json:{"driver":"raw","file":{"driver":"file","filename":"/x"}}', "-F", "raw")
make("rbd.qcow2", "qcow2", "1M", "-u", "-b", "rbd:pool/image:id=x", "-F", "raw")
make("http.qcow2", "qcow2", "1M", "-u", "-b", "http://example.org/a.img", "-F", "raw")
make("file-url.qcow2", "qcow2", "1M", "-u", "-b", "file:" + P + "base.raw", "-F", "raw")
make("file-slashes.qcow2", "qcow2", "1M", "-u", "-b", "file://" + P + "base.raw", "-F", "raw")
make("colon.qcow2", "qcow2", "1M", "-u", "-b", "a:b", "-F", "raw")
make("fifo-backed.qcow2", "qcow2", "1M", "-u", "-b", "fifo", "-F", "raw")
os.mkfifo(P + "fifo")
make("backed.qed", "qed", "1M", "-u", "-b", "base.qcow2", "-F", "qcow2")
make("backed-raw.qed", "qed", "1M", "-u", "-b", "base.raw", "-F", "raw")
make("backed.qcow", "qcow", "1M", "-u", "-b", "base.raw", "-F", "raw")
make("base.vmdk", "vmdk", "1M")
make("backed.vmdk", "vmdk", None, "-b", P + "base.vmdk", "-F", "vmdk")
os.symlink(WORK + "/elsewhere/linked.qcow2", P + "linked.qcow2")
qemu_img("create", "-q", "-f", "qcow2", "-u", "-b", "beside.raw", "-F", "raw", WORK + "/elsewhere/linked.qcow2", "1M")

pool = defined_pool(c, "p")
step("start", pool.create, 0)
step("names", pool.listVolumes)
for made in sorted(pool.listAllVolumes(0), key=lambda made: made.name()):
    name = made.name()
    step(name + ": document", made.XMLDesc, 0)
    step(name + ": info", made.info)
    step(name + ": physical", made.infoFlags, 1)

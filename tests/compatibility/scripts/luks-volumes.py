"""Encrypted volumes: made with a secret, what is shown, resized, cloned, wiped; the passphrase is never left behind."""

import os

from compat import RUN, WORK, active_pool, connect, fact, image_facts, qemu_img, raw_volume, step, volume

c = connect()
pool = active_pool(c, "p")
UUID = "5e7a1f00-0000-0000-0000-00000000005e"
secret = c.secretDefineXML("<secret private='yes'><uuid>%s</uuid><usage type='volume'><volume>/some/volume</volume></usage></secret>" % UUID, 0)
ENCRYPTED = "<encryption format='luks'><secret type='passphrase' uuid='%s'/>%s</encryption>"


def unlocked(path, form):
    """Whether the passphrase opens the image: its size inside."""
    key = "encrypt.key-secret" if form == "qcow2" else "key-secret"
    facts = qemu_img("info", "--output=json", "--object", "secret,id=s,data=sesame", "--image-opts", "driver=%s,%s=s,file.filename=%s" % (form, key, path))
    return [line.strip() for line in facts.split("\n") if "virtual-size" in line]


step("without a value", pool.createXML, volume("v", "raw", target=ENCRYPTED % (UUID, "")), 0)
fact("files after that", os.listdir(WORK + "/p"))
secret.setValue(b"sesame", 0)
made = step("raw", pool.createXML, volume("v", "raw", 4 << 20, target=ENCRYPTED % (UUID, "")), 0)
step("raw: info", made.info)
step("raw: document", made.XMLDesc, 0)
fact("raw: opens", unlocked(made.path(), "luks"))
pool.refresh(0)
step("raw: document after refresh", made.XMLDesc, 0)
step("raw: resize", made.resize, 6 << 20, 0)
step("raw: resize after refresh needs its secret", made.info)
sealed = step("qcow2 by usage", pool.createXML, volume("q", "qcow2", 4 << 20, target="<encryption format='luks'><secret type='passphrase' usage='/some/volume'/></encryption>"), 0)
if sealed is not None:
    step("qcow2: document", sealed.XMLDesc, 0)
    fact("qcow2: opens", unlocked(sealed.path(), "qcow2"))
    step("qcow2: resize", sealed.resize, 8 << 20, 0)
    fact("qcow2: size", image_facts(sealed.path())["virtual-size"])
    pool.refresh(0)
    step("qcow2: document after refresh", sealed.XMLDesc, 0)
    step("qcow2: resize after refresh", sealed.resize, 9 << 20, 0)
    step("qcow2: clone after refresh", pool.createXMLFrom, raw_volume("clear"), sealed, 0)
step("raw: wipe", made.wipe, 0)
step("raw: document after wipe", made.XMLDesc, 0)
secret.undefine()
step("without the secret", pool.createXML, volume("w", "raw", target=ENCRYPTED % (UUID, "")), 0)
fact("passphrase files left", [name for name in os.listdir(RUN + "/storage") if "secret" in name])
fact("files in the end", sorted(os.listdir(WORK + "/p")))

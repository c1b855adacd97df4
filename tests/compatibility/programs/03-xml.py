#!/usr/bin/python3
"""Reads pool and volume documents with an XML parser, as management programs do."""

import os
import sys
import xml.etree.ElementTree as ElementTree

import libvirt

connection = libvirt.open("qemu:///system")
path = os.path.join(sys.argv[1], "pool")
pool = connection.storagePoolDefineXML(
    "<pool type='dir'><name>xml &amp; more</name><target><path>%s</path>"
    "<permissions><mode>0750</mode><owner>0</owner><group>0</group></permissions></target></pool>" % path
)
pool.build()
pool.create()


def show(element, depth=0):
    attributes = "".join(" %s=%s" % pair for pair in sorted(element.attrib.items()))
    text = (element.text or "").strip()
    if element.tag in ("atime", "mtime", "ctime"):
        assert float(text) > 0
        text = "a time"
    print("%s%s%s%s" % ("  " * depth, element.tag, attributes, ": " + text if text else ""))
    for child in element:
        show(child, depth + 1)


show(ElementTree.fromstring(pool.XMLDesc()))
show(ElementTree.fromstring(pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE)))
volume = pool.createXML("<volume><name>a.qcow2</name><capacity unit='GiB'>1</capacity><target><format type='qcow2'/></target></volume>")
show(ElementTree.fromstring(volume.XMLDesc()))
pool.refresh()
show(ElementTree.fromstring(pool.storageVolLookupByName("a.qcow2").XMLDesc()))
document = ElementTree.fromstring(pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE))
document.find("target/permissions/mode").text = "0700"
pool = connection.storagePoolDefineXML(ElementTree.tostring(document).decode())
print("next mode:", ElementTree.fromstring(pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE)).find("target/permissions/mode").text)

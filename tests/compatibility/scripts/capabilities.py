"""Capability documents and facts of the connection that a storage client asks for."""

import re

from compat import connect, connect_read_only, fact, step

for label, c in (("rw", connect()), ("ro", connect_read_only())):
    step(label + ": pool capabilities", c.getStoragePoolCapabilities, 0)
    step(label + ": pool capabilities with flags", c.getStoragePoolCapabilities, 1)
    step(label + ": is encrypted", c.isEncrypted)
    step(label + ": is secure", c.isSecure)
    step(label + ": is alive", c.isAlive)
    step(label + ": type", c.getType)
    step(label + ": URI ends", lambda: re.sub(r"socket=.*", "socket=", c.getURI()))
    step(label + ": host name", c.getHostname)
    step(label + ": keepalive", c.setKeepAlive, 5, 3)
    step(label + ": library version", c.getLibVersion)

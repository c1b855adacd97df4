"""What the comparison scripts share. A script does its steps against one daemon and prints a JSON line for each.

The runner starts a script once per daemon, in that daemon's mount namespace, and compares the lines. WORK is an empty
directory of the script's own, at the same place on both sides, on a file system made for the run: sizes and free space
are comparable. What differs by nature (random UUIDs, times, the daemons' own directories) is made equal by the runner.
"""

import atexit
import hashlib
import json
import os
import stat
import subprocess
import sys
import time

import libvirt

WORK = os.environ["COMPAT_WORK"]
URI = os.environ["COMPAT_URI"]
URI_READ_ONLY = os.environ["COMPAT_URI_RO"]
ETC = os.environ["COMPAT_ETC"]
RUN = os.environ["COMPAT_RUN"]

DIGEST_LIMIT_BYTES = 64 << 20

NOWHERE = "11111111-2222-3333-4444-555555555555"

libvirt.registerErrorHandler(lambda context, error: None, None)


def connect(uri=None):
    """A connection to the daemon under test."""
    return libvirt.open(uri or URI)


def connect_read_only():
    return libvirt.openReadOnly(URI_READ_ONLY)


def step(label, function, *arguments):
    """Does one step, prints its outcome and hands back its result, None after an error."""
    try:
        result = function(*arguments)
    except libvirt.libvirtError as error:
        emit(label, err=described_error(error))
        return None
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        emit(label, raised="%s: %s" % (type(error).__name__, error))
        return None
    emit(label, ok=plain(result))
    return result


def fact(label, value):
    """Prints something seen outside the API: a file's content, a directory."""
    emit(label, ok=plain(value))


def emit(label, **outcome):
    print(json.dumps(dict(step=label, **outcome), ensure_ascii=True), flush=True)


def described_error(error):
    parts = error.err
    if parts is None:
        return {"message": str(error)}
    names = ("code", "domain", "message", "level", "str1", "str2", "str3", "int1", "int2")
    return dict(zip(names, parts))


def plain(value):
    """Any result as JSON. Lists of names and objects are sorted: libvirt leaves their order open."""
    if isinstance(value, libvirt.virStoragePool):
        return "pool %s %s" % (value.name(), value.UUIDString())
    if isinstance(value, libvirt.virStorageVol):
        return "volume %s %s" % (value.name(), value.key())
    if isinstance(value, libvirt.virSecret):
        return "secret %s %s %s" % (value.UUIDString(), value.usageType(), value.usageID())
    if isinstance(value, libvirt.virStream):
        return "stream"
    if isinstance(value, libvirt.virConnect):
        return "connection"
    if isinstance(value, bytes):
        if len(value) <= 64:
            return "bytes " + value.hex()
        return "%d bytes, sha256 %s" % (len(value), hashlib.sha256(value).hexdigest())
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [plain(item) for item in value]
        return sorted(items) if all(isinstance(item, str) for item in items) and isinstance(value, list) else items
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1 << 53:
        return "number %d" % value
    return value


# Documents


def dir_pool(name, path=None, uuid=None, extra=""):
    """The document of a directory pool; its directory is WORK/<name> unless given."""
    identity = "<uuid>%s</uuid>" % uuid if uuid else ""
    return "<pool type='dir'><name>%s</name>%s<target><path>%s</path>%s</target></pool>" % (
        name,
        identity,
        path or os.path.join(WORK, name),
        extra,
    )


def raw_volume(name, capacity=1 << 20, allocation=0, extra=""):
    return (
        "<volume><name>%s</name><capacity>%d</capacity><allocation>%d</allocation>%s</volume>"
        % (name, capacity, allocation, extra)
    )


def volume(name, form, capacity=1 << 20, extra="", target=""):
    """The document of a volume of a format, with more elements at the top and in <target>."""
    return (
        "<volume><name>%s</name><capacity>%d</capacity>%s<target><format type='%s'/>%s</target></volume>"
        % (name, capacity, extra, form, target)
    )


# Situations. They raise when the daemon refuses: then the script ends, which is a difference too.


def defined_pool(connection, name, **more):
    return connection.storagePoolDefineXML(dir_pool(name, **more), 0)


def active_pool(connection, name, **more):
    """A persistent, built and started directory pool."""
    pool = defined_pool(connection, name, **more)
    pool.build(0)
    pool.create(0)
    return pool


def transient_pool(connection, name, **more):
    return connection.storagePoolCreateXML(dir_pool(name, **more), libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)


# Files


def write_file(path, content=b"", size=None, mode=None):
    """Writes a file below WORK; `size` makes it longer with a hole."""
    full = os.path.join(WORK, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as file:
        file.write(content)
        if size is not None:
            file.truncate(size)
    if mode is not None:
        os.chmod(full, mode)
    return full


def left_behind(label, *parts):
    """Whether a call that failed left a file, which is taken away so that it does not hide what follows."""
    path = os.path.join(WORK, *parts)
    fact(label + ": left behind", os.path.lexists(path))
    if os.path.isdir(path):
        os.rmdir(path)
    elif os.path.lexists(path):
        os.unlink(path)


def read_file(path):
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "surrogateescape")


def tree(path):
    """Every entry below a directory: kind and mode, owner, group, size and blocks of files, target of links."""
    found = []
    for directory, names, files in os.walk(path):
        for name in sorted(names + files):
            full = os.path.join(directory, name)
            relative = os.path.relpath(full, path)
            facts = os.lstat(full)
            if stat.S_ISLNK(facts.st_mode):
                found.append("%s -> %s" % (relative, os.readlink(full)))
            elif stat.S_ISREG(facts.st_mode):
                found.append("%s %o %d:%d %d bytes" % (relative, facts.st_mode, facts.st_uid, facts.st_gid, facts.st_size))
            else:
                found.append("%s %o %d:%d" % (relative, facts.st_mode, facts.st_uid, facts.st_gid))
    return sorted(found)


def file_facts(path):
    """Mode, owner, group, size and blocks of a file, and what is in it."""
    facts = os.stat(path)
    digest = None
    if stat.S_ISREG(facts.st_mode) and facts.st_size <= DIGEST_LIMIT_BYTES:
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
    return [oct(facts.st_mode), facts.st_uid, facts.st_gid, facts.st_size, facts.st_blocks, digest]


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def qemu_img(*arguments):
    """Runs qemu-img; its stdout."""
    done = subprocess.run(
        ["/usr/bin/qemu-img", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True, timeout=60
    )
    return done.stdout.decode()


def image_facts(path):
    """What qemu-img reads in an image, without the place it takes on disk."""
    try:
        facts = json.loads(qemu_img("info", "--output=json", path))
    except subprocess.CalledProcessError as error:
        return "qemu-img: " + error.stderr.decode()
    facts.pop("actual-size", None)
    facts.get("format-specific", {}).get("data", {}).pop("cid", None)
    return facts


def image_digest(path):
    """What a guest would read from an image."""
    raw = os.path.join(WORK, "image-digest.raw")
    qemu_img("convert", "-O", "raw", path, raw)
    try:
        return digest(raw)
    finally:
        os.unlink(raw)


def noise(size, seed=b"compat"):
    """Bytes that look random and are the same in every run."""
    blocks = []
    block = seed
    while sum(map(len, blocks)) < size:
        block = hashlib.sha512(block).digest()
        blocks.append(block * 64)
    return b"".join(blocks)[:size]


# The daemon itself: the runner does these and answers on stdin.


class Daemon:
    def restart(self):
        self._ask("restart")

    def stop(self):
        self._ask("stop")

    def start(self):
        self._ask("start")

    def kill(self):
        self._ask("kill")

    def reload(self):
        """SIGHUP; waits until a moment has passed in which the daemon can have done it."""
        self._ask("reload")

    @staticmethod
    def _ask(what):
        print(json.dumps({"daemon": what}), flush=True)
        answer = sys.stdin.readline().strip()
        if answer != "done":
            raise SystemExit("the runner could not %s the daemon: %s" % (what, answer))


daemon = Daemon()


# Events


class EventLoop:
    """libvirt's default event loop, turned by hand. Make it before the connection."""

    def __init__(self):
        libvirt.virEventRegisterDefaultImpl()
        self.timer = None

    def turn_until(self, condition, seconds=10.0):
        """Handles events until the condition holds or the time is over; whether it held."""
        if self.timer is None:
            self.timer = libvirt.virEventAddTimeout(50, lambda timer, opaque: None, None)
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            libvirt.virEventRunDefaultImpl()
        return True

    def turn_for(self, seconds):
        self.turn_until(lambda: False, seconds)


def wait_for(condition, seconds=10.0):
    """Asks again and again until the condition holds; whether it did."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


@atexit.register
def _finished():
    sys.stdout.flush()

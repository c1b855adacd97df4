import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { covers } from "../../support/covers.js";
import { RootedDaemon } from "../../support/rooted-daemon.js";
import { startSmbServer } from "../guest/cifs.js";
import { GLUSTER_HOST, startGluster } from "../guest/gluster.js";
import { mountedAt, mountOptionsAt } from "../guest/mounts.js";
import { restartNfsServer, startNfsServer, stopNfsServer } from "../guest/nfs.js";
import { run, waitFor } from "../guest/run.js";
import { Virsh } from "../guest/virsh.js";

const OWNER = 1234;
const MiB = 1024 * 1024;
/** The daemon's deadline for a call to storage that can hang. */
const DEADLINE_SECONDS = 6;
/** With what a slow machine adds. */
const SOON_MS = 60_000;

let directoryOf: (path: string) => string;
let place: string;
let daemon: RootedDaemon;
let virsh: Virsh;
const content = randomBytes(3 * MiB + 17);

beforeAll(async () => {
  const squashed = { options: ["root_squash"] };
  directoryOf = startNfsServer([
    { path: "/open" },
    { path: "/squashed", ...squashed },
    { path: "/seen", ...squashed },
    { path: "/closed", ...squashed },
  ]);
  for (const [path, mode] of [
    ["/squashed", 0o700],
    ["/seen", 0o755],
    ["/closed", 0o700],
  ] as const) {
    chownSync(directoryOf(path), OWNER, OWNER);
    chmodSync(directoryOf(path), mode);
  }
  place = mkdtempSync("/tmp/netfs-");
  mkdirSync(join(place, "local"));
  writeFileSync(join(place, "content"), content);
  daemon = await RootedDaemon.prepare(join(place, "d"), `remote_storage_timeout = ${DEADLINE_SECONDS}\n`);
  await daemon.start();
  virsh = new Virsh(`storage+unix:///system?socket=${daemon.socket}`);
  virsh.do("pool-create-as", "local", "dir", "--target", join(place, "local"));
});
afterAll(async () => {
  await daemon?.stop();
});

interface PoolWish {
  readonly directory: string;
  readonly format?: string;
  readonly version?: string;
  readonly owner?: number;
  readonly options?: readonly string[];
  readonly host?: string;
}

/** Defines a pool; gives its target. */
function define(
  name: string,
  { directory, format = "nfs", version, owner, options = [], host = "127.0.0.1" }: PoolWish,
) {
  const target = join(place, name);
  const permissions =
    owner === undefined
      ? ""
      : `<permissions><mode>0700</mode><owner>${owner}</owner><group>${owner}</group></permissions>`;
  const mount = options.map((option) => `<fs:option name='${option}'/>`).join("");
  const document = `<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'><name>${name}</name>
    <source><host name='${host}'/><dir path='${directory}'/><format type='${format}'/>
    ${version === undefined ? "" : `<protocol ver='${version}'/>`}</source>
    <target><path>${target}</path>${permissions}</target>
    ${mount === "" ? "" : `<fs:mount_opts>${mount}</fs:mount_opts>`}</pool>`;
  virsh.do("pool-define", virsh.file(document));
  return target;
}

/** Volumes through their life, in a pool that runs. `owner`: whose they are to be on the server. */
function live(pool: string, behind: string, owner?: number): void {
  const permissions =
    owner === undefined
      ? ""
      : `<permissions><mode>0600</mode><owner>${owner}</owner><group>${owner}</group></permissions>`;
  const create = (name: string, format: string, more = "") =>
    virsh.do(
      "vol-create",
      pool,
      virsh.file(`<volume><name>${name}</name><capacity unit='MiB'>8</capacity><allocation>0</allocation>
        <target><format type='${format}'/>${permissions}${more}</target></volume>`),
    );
  create("raw", "raw");
  create("cow.qcow2", "qcow2");
  expect(virsh.complaint("vol-create-as", pool, "raw", "1M")).toContain("'raw' exists already");
  if (owner !== undefined) {
    for (const name of ["raw", "cow.qcow2"]) {
      expect(statSync(`${behind}/${name}`)).toMatchObject({ uid: owner, gid: owner });
      expect(statSync(`${behind}/${name}`).mode & 0o777).toBe(0o600);
    }
  }
  virsh.do("vol-upload", "--pool", pool, "raw", join(place, "content"));
  expect(readFileSync(`${behind}/raw`).subarray(0, content.length).equals(content)).toBe(true);
  virsh.do("vol-download", "--pool", pool, "raw", join(place, "back"));
  expect(readFileSync(join(place, "back")).subarray(0, content.length).equals(content)).toBe(true);

  // Clones: in the pool, to local storage and back, as bytes and as images.
  virsh.do("vol-clone", "--pool", pool, "raw", "raw.clone");
  virsh.do("vol-clone", "--pool", pool, "cow.qcow2", "cow.clone");
  const from = (to: string, name: string, format: string, source: string, of: string) =>
    virsh.do(
      "vol-create-from",
      to,
      virsh.file(`<volume><name>${name}</name><capacity unit='MiB'>8</capacity>
        <target><format type='${format}'/>${to === pool ? permissions : ""}</target></volume>`),
      source,
      "--inputpool",
      of,
    );
  from("local", "raw.local", "raw", "raw", pool);
  from("local", "cow.local", "qcow2", "raw", pool);
  from(pool, "raw.back", "raw", "raw.local", "local");
  from(pool, "cow.back", "qcow2", "cow.local", "local");
  for (const path of [`${behind}/raw.clone`, join(place, "local/raw.local"), `${behind}/raw.back`]) {
    expect(readFileSync(path).subarray(0, content.length).equals(content), path).toBe(true);
  }
  run("qemu-img", ["compare", "-f", "qcow2", "-F", "raw", `${behind}/cow.back`, `${behind}/raw`]);
  if (owner !== undefined) {
    for (const name of readdirSync(behind)) expect(statSync(`${behind}/${name}`).uid, name).toBe(owner);
  }

  virsh.do("vol-resize", "--pool", pool, "raw", "16M");
  virsh.do("vol-resize", "--pool", pool, "cow.qcow2", "16M");
  expect(statSync(`${behind}/raw`).size).toBe(16 * MiB);
  expect(virsh.do("vol-info", "--pool", pool, "cow.qcow2", "--bytes")).toMatch(/Capacity: +16777216/);
  virsh.do("vol-wipe", "--pool", pool, "raw");
  expect(readFileSync(`${behind}/raw`).every((byte) => byte === 0)).toBe(true);

  virsh.do("pool-refresh", pool);
  expect(virsh.volumes(pool)).toEqual(["cow.back", "cow.clone", "cow.qcow2", "raw", "raw.back", "raw.clone"]);
  for (const name of virsh.volumes(pool)) virsh.do("vol-delete", "--pool", pool, name);
  for (const name of ["raw.local", "cow.local"]) virsh.do("vol-delete", "--pool", "local", name);
  expect(readdirSync(behind).filter((name) => name !== ".glusterfs")).toEqual([]);
}

describe("discovery", () => {
  it("finds what the server exports", () => {
    covers("netfs", "real", "pool.discover");
    const sources = virsh.do("find-storage-pool-sources-as", "netfs", "127.0.0.1");
    const directories = [...sources.matchAll(/<dir path='([^']*)'\/>/g)].map(([, path]) => path).sort();
    expect(directories).toEqual(["/closed", "/open", "/seen", "/squashed"]);
    expect(sources).toContain("<format type='nfs'/>");
    expect(sources).toContain("<host name='127.0.0.1'/>");
  });

  it("says that nothing was found where nobody answers", () => {
    expect(virsh.complaint("find-storage-pool-sources-as", "netfs", "host.invalid")).toContain(
      "no storage pools were found on host 'host.invalid'",
    );
  });
});

describe.each([
  ["3", "nfs", "nfs"],
  ["4", "nfs", "nfs4"],
  ["4.1", "auto", "nfs4"],
  ["4.2", "nfs", "nfs4"],
])("a pool over NFS %s, format %s", (version, format, type) => {
  const name = `v${version}`;
  let target: string;

  it("is built, started with the protocol's version, used, and stopped", () => {
    covers("netfs", "real", "pool.build", "pool.start", "pool.stop", "pool.delete", "volume.createFrom");
    target = define(name, { directory: "/open", version, format, options: ["nolock"] });
    virsh.do("pool-build", name);
    virsh.do("pool-start", name);
    expect(mountedAt(target)).toEqual([`${type} 127.0.0.1:/open`]);
    const vers = version === "4" ? /^vers=4/ : new RegExp(`^vers=${version}$`);
    expect(mountOptionsAt(target)).toEqual(
      expect.arrayContaining(["nodev", "nosuid", "noexec", expect.stringMatching(vers)]),
    );
    live(name, directoryOf("/open"));
    virsh.do("pool-destroy", name);
    expect(mountedAt(target)).toEqual([]);
    virsh.do("pool-delete", name);
    virsh.do("pool-undefine", name);
  });
});

describe.each(["cifs", "glusterfs"] as const)("a pool over %s", (format) => {
  let source: Pick<PoolWish, "host" | "directory" | "options">;
  let shown: string;
  let behind: string;

  beforeAll(async () => {
    if (format === "cifs") {
      behind = "/srv/share";
      await startSmbServer([{ name: "share", path: behind, guests: true }]);
      // qemu-img locks parts of images, which to an SMB server are then closed for writing.
      source = { host: "127.0.0.1", directory: "share", options: ["nobrl"] };
      shown = "cifs //127.0.0.1/share";
    } else {
      behind = (await startGluster(["images"]))("images");
      source = { host: GLUSTER_HOST, directory: "images" };
      shown = `fuse.glusterfs ${GLUSTER_HOST}:images`;
    }
  }, 120_000);

  it("is built, started, used, found again by the next daemon, and stopped", async () => {
    const target = define(format, { ...source, format });
    virsh.do("pool-build", format);
    virsh.do("pool-start", format);
    expect(mountedAt(target)).toEqual([shown]);
    if (format === "glusterfs") {
      const found = virsh.do("find-storage-pool-sources-as", "netfs", GLUSTER_HOST);
      expect(found).toMatch(/<dir path='\/?images'\/>\s*<format type='glusterfs'\/>/);
    }
    expect(mountOptionsAt(target)).toEqual(expect.arrayContaining(["nodev", "nosuid", "noexec"]));
    live(format, behind);
    await daemon.stop();
    await daemon.start();
    expect(virsh.running).toContain(format);
    virsh.do("pool-destroy", format);
    expect(mountedAt(target)).toEqual([]);
    virsh.do("pool-undefine", format);
  }, 300_000);

  it("of something that the server does not have is refused, in mount's words", () => {
    const target = define("nowhere", { ...source, directory: "nothing", format });
    virsh.do("pool-build", "nowhere");
    expect(virsh.complaint("pool-start", "nowhere")).toMatch(/unexpected exit status .*mount/is);
    expect(mountedAt(target)).toEqual([]);
    virsh.do("pool-undefine", "nowhere");
  }, 120_000);
});

describe("root_squash", () => {
  it("the volumes' owner does what root may not, through the whole life of volumes", () => {
    const target = define("squashed", { directory: "/squashed", owner: OWNER });
    virsh.do("pool-build", "squashed");
    virsh.do("pool-start", "squashed");
    expect(() => readdirSync(target)).toThrow("EACCES");
    live("squashed", directoryOf("/squashed"), OWNER);
  });

  it("volumes of which nothing is said are the pool's owner's", () => {
    virsh.do("vol-create-as", "squashed", "unsaid", "1M");
    expect(statSync(`${directoryOf("/squashed")}/unsaid`).uid).toBe(OWNER);
    virsh.do("vol-delete", "--pool", "squashed", "unsaid");
  });

  it("an encrypted volume: its passphrase reaches qemu-img", () => {
    const uuid = "5b0c1a4e-7d0b-4f6e-9a51-4f0d8f6f3c11";
    const usage = "<usage type='volume'><volume>/x</volume></usage>";
    virsh.do("secret-define", virsh.file(`<secret ephemeral='no' private='no'><uuid>${uuid}</uuid>${usage}</secret>`));
    virsh.do("secret-set-value", uuid, Buffer.from("open sesame").toString("base64"));
    const document = `<volume><name>luks</name><capacity unit='MiB'>4</capacity><target><format type='raw'/>
      <permissions><mode>0600</mode><owner>${OWNER}</owner><group>${OWNER}</group></permissions>
      <encryption format='luks'><secret type='passphrase' uuid='${uuid}'/></encryption></target></volume>`;
    virsh.do("vol-create", "squashed", virsh.file(document));
    expect(run("qemu-img", ["info", `${directoryOf("/squashed")}/luks`])).toContain("file format: luks");
    virsh.do("vol-delete", "--pool", "squashed", "luks");
    virsh.do("secret-undefine", uuid);
  });

  it("a restarted daemon finds it again, and looks into it as its owner", async () => {
    virsh.do("vol-create-as", "squashed", "kept", "1M");
    await daemon.stop();
    await daemon.start();
    expect(virsh.running).toContain("squashed");
    // A first look that took too long is followed by another.
    await waitFor("the look into the pool", () => virsh.volumes("squashed").length > 0, 60_000);
    expect(virsh.volumes("squashed")).toEqual(["kept"]);
    virsh.do("vol-delete", "--pool", "squashed", "kept");
  });

  it("what was interrupted in it is undone as its owner", async () => {
    virsh.do("vol-create-as", "squashed", "big", "64M", "--allocation", "64M");
    await daemon.connect();
    const cloning = virsh.file(`<volume><name>clone</name><capacity unit='MiB'>64</capacity>
      <target><format type='qcow2'/></target></volume>`);
    const { spawn } = await import("node:child_process");
    const uri = `storage+unix:///system?socket=${daemon.socket}`;
    const clone = ["vol-create-from", "squashed", cloning, "big", "--inputpool", "squashed"];
    spawn("virsh", ["-c", uri, ...clone], { stdio: "ignore" }).unref();
    const hidden = () => readdirSync(directoryOf("/squashed")).filter((name) => name !== "big");
    await waitFor("the clone's temporary file", () => hidden().length > 0, 60_000);
    await daemon.kill();
    expect(hidden()).toHaveLength(1);
    await daemon.start();
    expect(hidden()).toEqual([]);
    virsh.do("vol-delete", "--pool", "squashed", "big");
  });

  it("is stopped, with nothing left that keeps it busy", () => {
    virsh.do("pool-destroy", "squashed");
    expect(mountedAt(join(place, "squashed"))).toEqual([]);
    virsh.do("pool-undefine", "squashed");
  });

  it("entries that only their owner may read are shown", () => {
    const behind = directoryOf("/seen");
    writeFileSync(`${behind}/secret`, "raw", { mode: 0o600 });
    run("qemu-img", ["create", "-f", "qcow2", `${behind}/secret.qcow2`, "5M"]);
    chmodSync(`${behind}/secret.qcow2`, 0o600);
    writeFileSync(`${behind}/roots`, "raw", { mode: 0o600 });
    writeFileSync(`${behind}/public`, "raw", { mode: 0o644 });
    for (const name of ["secret", "secret.qcow2"]) chownSync(`${behind}/${name}`, OWNER, OWNER);
    define("seen", { directory: "/seen" });
    virsh.do("pool-build", "seen");
    virsh.do("pool-start", "seen");
    // Nobody is left to read what is root's on the server.
    expect(virsh.volumes("seen")).toEqual(["public", "secret", "secret.qcow2"]);
    expect(virsh.do("vol-dumpxml", "--pool", "seen", "secret.qcow2")).toContain("<format type='qcow2'/>");
    expect(virsh.do("vol-info", "--pool", "seen", "secret.qcow2", "--bytes")).toMatch(/Capacity: +5242880/);
    virsh.do("pool-destroy", "seen");
    virsh.do("pool-undefine", "seen");
  });

  it("a pool that cannot be looked into is unmounted again, and says why", () => {
    const target = define("closed", { directory: "/closed" });
    virsh.do("pool-build", "closed");
    expect(virsh.complaint("pool-start", "closed")).toContain(`cannot open directory '${target}': Permission denied`);
    expect(mountedAt(target)).toEqual([]);
    expect(virsh.running).not.toContain("closed");
    virsh.do("pool-undefine", "closed");
  });
});

describe("what is mounted, and who mounted it", () => {
  let target: string;
  beforeEach(() => {
    if (target !== undefined) return;
    target = define("other", { directory: "/open" });
    virsh.do("pool-build", "other");
  });

  it("a source that is mounted already is taken as it is", () => {
    run("mount", ["-t", "nfs", "127.0.0.1:/open/", target]);
    virsh.do("pool-start", "other");
    expect(mountedAt(target)).toHaveLength(1);
    virsh.do("pool-destroy", "other");
    expect(mountedAt(target)).toEqual([]);
  });

  it("a restarted daemon takes running pools as running, and leaves stopped ones", async () => {
    virsh.do("pool-start", "other");
    const second = define("second", { directory: "/seen" });
    virsh.do("pool-build", "second");
    await daemon.stop();
    await daemon.start();
    expect(virsh.running).toContain("other");
    expect(virsh.running).not.toContain("second");
    expect(mountedAt(second)).toEqual([]);
    virsh.do("pool-destroy", "other");
    virsh.do("pool-undefine", "second");
  });

  it("what somebody uses is not unmounted; the pool goes on", () => {
    virsh.do("pool-start", "other");
    run("sh", ["-c", `cd ${target} && exec sleep 300 >/dev/null 2>&1 & echo $! >${place}/pid`]);
    expect(virsh.complaint("pool-destroy", "other")).toContain("device is busy");
    expect(virsh.running).toContain("other");
    run("kill", [readFileSync(`${place}/pid`, "utf8").trim()]);
    virsh.do("pool-destroy", "other");
  });

  it("what is not exported is refused, in mount's words", () => {
    define("nothing", { directory: "/nothing" });
    virsh.do("pool-build", "nothing");
    const said = virsh.complaint("pool-start", "nothing");
    expect(said).toContain("mount -o nodev,nosuid,noexec -t nfs 127.0.0.1:/nothing");
    expect(said).toContain("access denied by server while mounting 127.0.0.1:/nothing");
    virsh.do("pool-undefine", "nothing");
  });
});

describe("a server that does not answer", () => {
  const timed = (...args: readonly string[]) => {
    const start = performance.now();
    const said = virsh.complaint(...args);
    return { said, milliseconds: performance.now() - start };
  };

  it("holds up nobody but its own pool, and each call there ends at a deadline", async () => {
    virsh.do("pool-start", "other");
    virsh.do("vol-create-as", "other", "v", "1M");
    // What the client still has in its cache is no answer; it could not be dropped once nobody takes what is dirty.
    run("sh", ["-c", "sync; echo 3 >/proc/sys/vm/drop_caches"]);
    stopNfsServer();
    const refreshing = timed("pool-refresh", "other");
    expect(refreshing.said).toContain("Connection timed out");
    expect(refreshing.milliseconds).toBeLessThan(SOON_MS);
    expect(virsh.running).toContain("other");
    expect(virsh.volumes("local")).toEqual([]);
    const starting = timed("pool-start", "v-unreachable");
    expect(starting.said).toContain("no storage pool with matching name");
  });

  it("a start ends at a deadline as well, with nothing mounted", () => {
    const target = define("silent", { directory: "/seen" });
    virsh.do("pool-build", "silent");
    const { said, milliseconds } = timed("pool-start", "silent");
    expect(said).not.toBe("");
    expect(milliseconds).toBeLessThan(70_000 + SOON_MS);
    expect(mountedAt(target)).toEqual([]);
  });

  it("a daemon that starts now is there soon, and keeps the pool", async () => {
    await daemon.stop();
    await daemon.start();
    expect(virsh.volumes("local")).toEqual([]);
  });

  it("works again when the server does", () => {
    restartNfsServer();
    virsh.do("pool-start", "silent");
    virsh.do("pool-destroy", "silent");
    virsh.do("pool-refresh", "other");
    expect(virsh.volumes("other")).toEqual(["v"]);
    virsh.do("vol-delete", "--pool", "other", "v");
    virsh.do("pool-destroy", "other");
    expect(mountedAt(join(place, "other"))).toEqual([]);
  });
});

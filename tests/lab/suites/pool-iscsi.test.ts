import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { readPool } from "@cistern/documents";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { iscsiDriver } from "../../../packages/daemon/dist/drivers/iscsi.js";
import { complies } from "../../../packages/daemon/test/drivers/compliance.js";
import { covers } from "../../support/covers.js";
import { LabDaemon } from "../guest/daemon.js";
import { discover, login, logout, startInitiator } from "../guest/iscsi.js";
import { attempt, run } from "../guest/run.js";
import { removeTgtLun, startTgt, type TgtTarget, tgtLun, tgtTarget } from "../guest/tgt.js";
import { startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;
const IQN = "iqn.2004-04.org.example.lab";
const OPEN = `${IQN}:open`;
const CLOSED = `${IQN}:closed`;
const EMPTY = `${IQN}:empty`;
const OTHER_INITIATOR = `${IQN}:somebody-else`;
const PASSWORD = "secret-of-alice";
const SECRET = "c7d5c5d0-51a5-4d43-8a4f-2d5a0d0f7a01";
/** Takes connections and says nothing. */
const SILENT_PORT = 3999;
/** Nobody listens. */
const CLOSED_PORT = 3998;
/** A call that waits for no storage; programs start slowly in a guest. */
const SOON_MS = 15_000;
const ARGUMENTS = "/tmp/arguments-of-iscsiadm";

describe("iscsi pools", () => {
  let lab: LabDaemon;
  let open: TgtTarget;
  let silent: Server;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    startUdev();
    await startTgt();
    open = tgtTarget(1, OPEN, [64 * MiB, 32 * MiB]);
    tgtTarget(2, CLOSED, [16 * MiB], { user: "alice", password: PASSWORD });
    tgtTarget(3, EMPTY, []);
    startInitiator();
    silent = createServer((socket) => sockets.push(socket)).listen(SILENT_PORT, "127.0.0.1");
    recordArguments();
    lab = await LabDaemon.start({ PATH: `/tmp/bin:${process.env["PATH"]}` });
    await defineSecret(lab, PASSWORD);
  });
  afterEach(async () => {
    await lab.clear();
    if (sessions().length > 0) attempt("iscsiadm", ["--mode", "session", "--logout"]);
    if (records().length > 0) attempt("iscsiadm", ["--mode", "node", "--op", "delete"]);
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    silent.close();
    await lab?.daemon.stop();
  });

  complies("iscsi", {
    driver: iscsiDriver,
    pool: async () =>
      readPool(
        `<pool type='iscsi'><name>c</name><source><host name='127.0.0.1'/><device path='${OPEN}'/></source>
        <target><path>/dev/disk/by-path</path></target></pool>`,
      ),
    found: () => ["unit:0:0:1", "unit:0:0:2"],
  });

  it("logs in, shows the LUNs by stable paths, and logs out again", async () => {
    covers("iscsi", "real", "pool.start", "pool.scan", "pool.stop");
    await definePool(lab, "p", { target: OPEN });
    await lab.virsh("pool-build", "p");
    await lab.virsh("pool-start", "p");
    expect(sessions()).toHaveLength(1);
    expect(await lab.volumes("p")).toEqual(["unit:0:0:1", "unit:0:0:2"]);
    const pool = await lab.virsh("pool-dumpxml", "p");
    expect(pool).toContain(`<capacity unit='bytes'>${96 * MiB}</capacity>`);
    expect(pool).toContain(`<allocation unit='bytes'>${96 * MiB}</allocation>`);
    expect(pool).toContain("<available unit='bytes'>0</available>");
    const volume = await lab.virsh("vol-dumpxml", "unit:0:0:1", "--pool", "p");
    const path = `/dev/disk/by-path/ip-127.0.0.1:3260-iscsi-${OPEN}-lun-1`;
    expect(volume).toContain("<volume type='block'>");
    expect(volume).toContain(`<path>${path}</path>`);
    expect(volume).toContain(`<key>${serial(path)}</key>`);
    expect(volume).toContain(`<capacity unit='bytes'>${64 * MiB}</capacity>`);
    expect((await lab.virsh("vol-pool", path)).trim()).toBe("p");
    await lab.virsh("pool-destroy", "p");
    expect(sessions()).toEqual([]);
    expect(records()).toEqual([]);
  });

  it("uploads, downloads and wipes; makes no volumes, but is copied from", async () => {
    covers("iscsi", "real", "volume.upload", "volume.download", "volume.wipe");
    await definePool(lab, "p", { target: OPEN });
    await lab.virsh("pool-start", "p");
    const content = lab.path("content");
    run("dd", ["if=/dev/urandom", `of=${content}`, "bs=1M", "count=32", "status=none"]);
    await lab.virsh("vol-upload", "unit:0:0:2", content, "--pool", "p");
    await lab.virsh("vol-download", "unit:0:0:2", lab.path("back"), "--pool", "p");
    run("cmp", [content, lab.path("back")]);
    await lab.virsh("pool-create-as", "d", "dir", "--target", lab.path("d"), "--build");
    writeFileSync(lab.path("copy.xml"), "<volume><name>copy</name><capacity>0</capacity><target/></volume>");
    await lab.virsh("vol-create-from", "d", lab.path("copy.xml"), "unit:0:0:2", "--inputpool", "p");
    run("cmp", [content, lab.path("d/copy")]);
    await lab.virsh("vol-wipe", "unit:0:0:2", "--pool", "p");
    await lab.virsh("vol-download", "unit:0:0:2", lab.path("back"), "--pool", "p");
    run("cmp", ["-n", String(32 * MiB), lab.path("back"), "/dev/zero"]);
    expect(await lab.refused("vol-create-as", "p", "x", "1M")).toContain("does not support volume creation");
    expect(await lab.refused("vol-create-from", "p", lab.path("copy.xml"), "copy", "--inputpool", "d")).toContain(
      "storage pool does not support volume creation from an existing volume",
    );
    expect(await lab.refused("vol-delete", "unit:0:0:2", "--pool", "p")).toContain("does not support vol deletion");
    expect(await lab.refused("vol-resize", "unit:0:0:2", "128M", "--pool", "p")).toContain(
      "does not support changing of volume capacity",
    );
    await lab.virsh("pool-destroy", "d");
    await lab.virsh("pool-destroy", "p");
  });

  it("sees LUNs that come and go with a refresh, and a target without any", async () => {
    await definePool(lab, "p", { target: OPEN });
    await lab.virsh("pool-start", "p");
    tgtLun(open, 3, 8 * MiB);
    await lab.virsh("pool-refresh", "p");
    expect(await lab.volumes("p")).toEqual(["unit:0:0:1", "unit:0:0:2", "unit:0:0:3"]);
    await lab.virsh("pool-destroy", "p");
    removeTgtLun(open, 3);
    await lab.virsh("pool-start", "p");
    expect(await lab.volumes("p")).toEqual(["unit:0:0:1", "unit:0:0:2"]);
    await lab.virsh("pool-destroy", "p");
    await definePool(lab, "e", { target: EMPTY });
    await lab.virsh("pool-start", "e");
    expect(await lab.volumes("e")).toEqual([]);
    await lab.virsh("pool-destroy", "e");
  });

  it("leaves a session and a record alone that somebody else made", async () => {
    discover();
    run("iscsiadm", [...node(OPEN), "--op", "update", "--name", "node.session.queue_depth", "--value", "17"]);
    expect(login(OPEN)).toBe(0);
    await definePool(lab, "p", { target: OPEN });
    await lab.virsh("pool-start", "p");
    expect(await lab.volumes("p")).toHaveLength(2);
    await lab.virsh("pool-destroy", "p");
    expect(sessions()).toHaveLength(1);
    logout(OPEN);
    // Now the session is the pool's, but the record still is not.
    await lab.virsh("pool-start", "p");
    expect(sessions()).toHaveLength(1);
    await lab.virsh("pool-destroy", "p");
    expect(sessions()).toEqual([]);
    expect(run("iscsiadm", node(OPEN))).toContain("node.session.queue_depth = 17");
  });

  it("knows after a restart what it has to log out from", async () => {
    await definePool(lab, "p", { target: OPEN });
    await definePool(lab, "q", { target: EMPTY });
    await lab.virsh("pool-start", "p");
    await lab.restart();
    expect(await lab.active()).toEqual(["p"]);
    await lab.virsh("pool-refresh", "p");
    expect(await lab.volumes("p")).toHaveLength(2);
    await lab.virsh("pool-destroy", "p");
    expect(sessions()).toEqual([]);
    await lab.restart();
    expect(await lab.active()).toEqual([]);
  });

  it("gives the stored secret, which no command line, log or message shows", async () => {
    await definePool(lab, "p", { target: CLOSED, chap: true });
    writeFileSync(ARGUMENTS, "");
    await lab.virsh("pool-start", "p");
    expect(await lab.volumes("p")).toEqual(["unit:0:0:1"]);
    expect(readFileSync(ARGUMENTS, "utf8")).toContain("node.session.auth.username --value alice");
    expect(readFileSync(ARGUMENTS, "utf8")).not.toContain(PASSWORD);
    expect(lab.daemon.log).not.toContain(PASSWORD);
    await lab.virsh("pool-destroy", "p");
    expect(records()).toEqual([]);
  });

  it("says what iscsiadm said when the login is refused, and leaves nothing behind", async () => {
    await defineSecret(lab, "wrong-for-alice");
    await definePool(lab, "p", { target: CLOSED, chap: true });
    const message = await lab.refused("pool-start", "p");
    expect(message).toContain("error: internal error: Child process (");
    expect(message).toContain(`iscsiadm --mode node --portal 127.0.0.1:3260,1 --targetname ${CLOSED} --login)`);
    expect(message).toContain("unexpected exit status 24");
    expect(message).toContain("authorization failure");
    expect(message).not.toContain("wrong-for-alice");
    expect([sessions(), records()]).toEqual([[], []]);
    expect(await lab.active()).toEqual([]);
    await defineSecret(lab, PASSWORD);
  });

  it("refuses a secret that is unknown, and one that cannot be a password", async () => {
    await definePool(lab, "p", { target: CLOSED, chap: true, secret: "00000000-0000-0000-0000-000000000001" });
    expect(await lab.refused("pool-start", "p")).toContain("no secret with matching uuid");
    await defineSecret(lab, `${PASSWORD}\n`);
    await definePool(lab, "p", { target: CLOSED, chap: true });
    expect(await lab.refused("pool-start", "p")).toContain("cannot be an iSCSI password");
    expect([sessions(), records()]).toEqual([[], []]);
    await defineSecret(lab, PASSWORD);
  });

  it("is somebody else to the target, with a password too", async () => {
    await definePool(lab, "p", { target: CLOSED, chap: true, initiator: OTHER_INITIATOR });
    await lab.virsh("pool-start", "p");
    expect(await lab.volumes("p")).toEqual(["unit:0:0:1"]);
    const [session = ""] = sessions();
    expect(readFileSync(`/sys/class/iscsi_session/${session}/initiatorname`, "utf8").trim()).toBe(OTHER_INITIATOR);
    await lab.virsh("pool-destroy", "p");
    expect([sessions(), records()]).toEqual([[], []]);
  });

  it("takes no session of another initiator for its own", async () => {
    await definePool(lab, "p", { target: OPEN });
    await definePool(lab, "q", { target: OPEN, initiator: OTHER_INITIATOR });
    await lab.virsh("pool-start", "p");
    await lab.virsh("pool-start", "q");
    expect(sessions()).toHaveLength(2);
    await lab.virsh("pool-destroy", "p");
    expect(sessions()).toHaveLength(1);
    await lab.virsh("pool-destroy", "q");
    expect([sessions(), records()]).toEqual([[], []]);
  });

  it("finds targets", async () => {
    covers("iscsi", "real", "pool.discover");
    const found = await lab.virsh("find-storage-pool-sources-as", "iscsi", "127.0.0.1");
    expect(found).toContain("<host name='127.0.0.1' port='3260'/>");
    for (const target of [OPEN, CLOSED, EMPTY]) expect(found).toContain(`<device path='${target}'/>`);
    const unknown = await lab.refused(
      "find-storage-pool-sources-as",
      "iscsi",
      "127.0.0.1",
      "--initiator",
      "iqn.no:one",
    );
    expect(unknown).toContain("no iSCSI interface defined for IQN iqn.no:one");
    expect(records()).toEqual([]);
  });

  it("says that a target is unknown", async () => {
    await definePool(lab, "p", { target: `${IQN}:none` });
    expect(await lab.refused("pool-start", "p")).toContain("unexpected exit status 19");
    expect([sessions(), records()]).toEqual([[], []]);
  });

  it.each([
    ["where nobody listens", CLOSED_PORT, "exit status 8"],
    ["of a server that says nothing", SILENT_PORT, "exit status 11"],
  ])("gives a portal up %s, in a minute, and leaves nothing behind", async (_, port, expected) => {
    await definePool(lab, "p", { target: OPEN, port });
    const start = performance.now();
    expect(await lab.refused("pool-start", "p")).toContain(expected);
    expect(performance.now() - start).toBeLessThan(60_000);
    expect([sessions(), records()]).toEqual([[], []]);
  });

  it("goes on when its target falls silent: a refresh ends, other pools do not wait, and nothing is lost", async () => {
    await definePool(lab, "p", { target: OPEN });
    await lab.virsh("pool-start", "p");
    mkdirSync("/tmp/beside");
    await lab.define("q", "<pool type='dir'><name>q</name><target><path>/tmp/beside</path></target></pool>");
    await lab.virsh("pool-start", "q");
    run("pkill", ["-STOP", "-x", "tgtd"]);
    try {
      let ended = false;
      const refresh = lab.attempt("pool-refresh", "p").finally(() => {
        ended = true;
      });
      do {
        const before = performance.now();
        await lab.virsh("pool-refresh", "q");
        expect(performance.now() - before).toBeLessThan(SOON_MS);
        await sleep(2_000);
      } while (!ended);
      expect(await refresh).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("Cannot run 'iscsiadm': Connection timed out"),
      });
      expect(await lab.active()).toEqual(["p", "q"]);
    } finally {
      run("pkill", ["-CONT", "-x", "tgtd"]);
    }
    await lab.virsh("pool-refresh", "p");
    expect(await lab.volumes("p")).toEqual(["unit:0:0:1", "unit:0:0:2"]);
    await lab.virsh("pool-destroy", "p");
    await lab.virsh("pool-destroy", "q");
  });

  it("says that iscsiadm is missing", async () => {
    const program = run("which", ["iscsiadm"]).trim();
    const places = [program, "/tmp/bin/iscsiadm"];
    for (const place of places) renameSync(place, `${place}.gone`);
    try {
      await definePool(lab, "p", { target: OPEN });
      expect(await lab.refused("pool-start", "p")).toContain("Cannot find 'iscsiadm'");
    } finally {
      for (const place of places) renameSync(`${place}.gone`, place);
    }
  });
});

interface Wanted {
  readonly target: string;
  readonly port?: number;
  readonly initiator?: string;
  readonly chap?: boolean;
  readonly secret?: string;
}

async function definePool(lab: LabDaemon, name: string, wanted: Wanted): Promise<void> {
  const { target, port, initiator, chap = false, secret = SECRET } = wanted;
  const auth = chap ? `<auth type='chap' username='alice'><secret uuid='${secret}'/></auth>` : "";
  const source = [
    `<host name='127.0.0.1'${port === undefined ? "" : ` port='${port}'`}/><device path='${target}'/>`,
    initiator === undefined ? "" : `<initiator><iqn name='${initiator}'/></initiator>`,
    auth,
  ].join("");
  const targetPath = "<target><path>/dev/disk/by-path</path></target>";
  await lab.define(name, `<pool type='iscsi'><name>${name}</name><source>${source}</source>${targetPath}</pool>`);
}

async function defineSecret(lab: LabDaemon, value: string): Promise<void> {
  const usage = "<usage type='iscsi'><target>lab</target></usage>";
  writeFileSync(lab.path("secret.xml"), `<secret><uuid>${SECRET}</uuid>${usage}</secret>`);
  await lab.virsh("secret-define", lab.path("secret.xml"));
  await lab.virsh("secret-set-value", SECRET, Buffer.from(value).toString("base64"));
}

/** Puts a program before iscsiadm that writes down how it was called. */
function recordArguments(): void {
  mkdirSync("/tmp/bin", { recursive: true });
  const real = run("which", ["iscsiadm"]).trim();
  writeFileSync("/tmp/bin/iscsiadm", `#!/bin/sh\necho "$*" >>${ARGUMENTS}\nexec ${real} "$@"\n`);
  chmodSync("/tmp/bin/iscsiadm", 0o755);
}

/** The kernel's sessions. */
function sessions(): string[] {
  return existsSync("/sys/class/iscsi_session") ? readdirSync("/sys/class/iscsi_session") : [];
}

/** open-iscsi's records, as paths: TARGET/PORTAL/INTERFACE. */
function records(): string[] {
  const records = "/etc/iscsi/nodes";
  if (!existsSync(records)) return [];
  const entries = readdirSync(records, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => `${entry.parentPath}/${entry.name}`);
}

function node(target: string): string[] {
  return ["--mode", "node", "--targetname", target, "--portal", "127.0.0.1"];
}

function serial(path: string): string {
  return run("/lib/udev/scsi_id", ["--replace-whitespace", "--whitelisted", "--device", path]).trim();
}

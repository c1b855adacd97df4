import type { PoolDocument } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { zfsDriver } from "../../dist/drivers/zfs.js";
import { type Command, type CommandResult, type Host, HostError, type RunOptions } from "../../dist/host/host.js";
import { limits } from "../../dist/limits.js";
import * as documents from "./documents.js";
import { errorOf, Laboratory, scan } from "./laboratory.js";
import { standIn } from "./stand-in.js";

/*
 * What ZFS does only when something is broken, by a host whose programs are stood in for. On real zpools the driver is tested
 * in the lab: tests/lab/suites/zfs-driver.test.ts.
 */

type Answer = Pick<CommandResult, "exitStatus" | "stdout" | "stderr"> | HostError;

const said = (stdout: string): Answer => ({ exitStatus: 0, stdout, stderr: "" });
const failed = (stderr: string): Answer => ({ exitStatus: 1, stdout: "", stderr });
const properties = (health: string): Answer =>
  said(`tank\thealth\t${health}\t-\ntank\tsize\t300\t-\ntank\tfree\t200\t-\ntank\tallocated\t100\t-\n`);

let laboratory: Laboratory;
let ran: { readonly line: string; readonly options: RunOptions | undefined }[];
beforeEach(() => {
  laboratory = new Laboratory();
  ran = [];
});
afterEach(() => laboratory.close());

function pool(name = "tank"): PoolDocument {
  const document = documents.pool("zfs", `/dev/zvol/${name}`);
  return { ...document, source: { ...document.source, name } };
}

/** Programs answer by the first words of their command line; anything else is a mistake of the test. */
function hostThat(answers: Readonly<Record<string, Answer>>): Host {
  return standIn(laboratory.host, {
    run: async ({ program, args }: Command, options?: RunOptions) => {
      const line = [program, ...args].join(" ");
      ran.push({ line, options });
      if (program === "udevadm") return { line, signal: null, exitStatus: 0, stdout: "", stderr: "" };
      const answer = Object.entries(answers).find(([beginning]) => line.startsWith(beginning))?.[1];
      if (answer === undefined) throw new Error(`nobody expected "${line}"`);
      if (answer instanceof HostError) throw answer;
      return { line, signal: null, ...answer };
    },
  });
}

test("a volume's path is the link that ZFS's rule for udev makes: a space is a plus there", async () => {
  const host = hostThat({ "zpool get": properties("ONLINE"), "zfs list": said("tank/my disk\t8\t0\n") });
  const [found] = (await scan(zfsDriver, pool(), host)).volumes;
  expect(found?.document).toMatchObject({
    name: "my disk",
    key: "tank/my disk",
    target: { path: "/dev/zvol/tank/my+disk" },
  });
});

describe("health", () => {
  test.each(["ONLINE", "DEGRADED"])("%s: the pool is used", async (health) => {
    const host = hostThat({ "zpool get": properties(health), "zfs list": said("tank/v\t8\t0\n") });
    expect(await zfsDriver.check(pool(), host)).toBe(true);
    expect(await scan(zfsDriver, pool(), host)).toMatchObject({
      capacityBytes: 300n,
      availableBytes: 200n,
      allocationBytes: 100n,
      volumes: [{ document: { name: "v", key: "tank/v", capacityBytes: 8n } }],
    });
  });

  test.each(["FAULTED", "UNAVAIL", "SUSPENDED", "REMOVED", "OFFLINE", ""])("'%s': it is not", async (health) => {
    const host = hostThat({ "zpool get": properties(health), "zfs list": said("") });
    expect(await zfsDriver.check(pool("tank/images"), host, true)).toBe(false);
    expect(await errorOf(scan(zfsDriver, pool("tank/images"), host))).toBe(
      `9/18 operation failed: zpool 'tank' cannot be used: its health is ${health} (see "zpool status tank")`,
    );
  });

  test("nothing that can be read: it is not used either", async () => {
    const host = hostThat({ "zpool get": said("?\n") });
    expect(await errorOf(scan(zfsDriver, pool(), host))).toContain("its health is not known");
  });
});

describe("after a restart of the daemon", () => {
  test.each([
    ["with volumes", "tank/v\t8\t0\n", false, true],
    ["without, stopped before", "", false, false],
    ["without, and it ran before", "", true, true],
    ["that is a volume itself", "tank\t8\t0\n", false, false],
  ])("a pool %s", async (_, volumes, wasActive, isActive) => {
    const host = hostThat({ "zpool get": properties("ONLINE"), "zfs list": said(volumes) });
    expect(await zfsDriver.check(pool(), host, wasActive)).toBe(isActive);
  });
});

describe("programs that do not answer", () => {
  test("ZFS is not installed", async () => {
    const host = hostThat({ zpool: new HostError("ENOENT", 2, "no such program") });
    expect(await zfsDriver.check(pool(), host, true)).toBe(false);
    expect(await errorOf(scan(zfsDriver, pool(), host))).toBe(
      "38/0 Cannot find 'zpool' in path: No such file or directory",
    );
  });

  test("a command that hangs is given up", async () => {
    const host = hostThat({ zpool: new HostError("ETIMEDOUT", 110, "too late") });
    expect(await errorOf(scan(zfsDriver, pool(), host))).toBe("38/0 too late: Connection timed out");
    expect(ran.map(({ options }) => options?.timeoutMs)).toEqual([limits.zfsCommandMs]);
  });
});

test.each(["-f", "tank@s", "tank/../other", "1", ""])(
  "a source named '%s' never gets on a command line",
  async (name) => {
    const host = hostThat({});
    expect(await zfsDriver.check(pool(name), host, true)).toBe(false);
    expect(await errorOf(scan(zfsDriver, pool(name), host))).toMatch(/^8\/18 .* is no name of a zpool or a dataset$/);
    expect(ran).toEqual([]);
  },
);

describe("a volume that could not be made", () => {
  const volume = documents.volume("v", { allocationBytes: 0n });
  const fill = async (host: Host) =>
    zfsDriver.volumes?.fill?.(pool(), volume, null, 0, { ...(await laboratory.context()), host });

  test("is off the record when nothing is left of it", async () => {
    const host = hostThat({
      "zfs create": failed("cannot create 'tank/…': out of space\n"),
      "zfs destroy": failed("cannot open 'tank/…': dataset does not exist\n"),
      "zpool get": properties("ONLINE"),
    });
    expect(await errorOf(fill(host))).toContain("out of space");
    expect(laboratory.traces.size).toBe(0);
  });

  test("stays on record where it could not be destroyed", async () => {
    const host = hostThat({
      "zfs create": failed("internal error: I/O error\n"),
      "zfs destroy": failed("internal error: I/O error\n"),
    });
    expect(await errorOf(fill(host))).toContain("zfs create -s -V 1024K tank/cistern-new-");
    expect([...laboratory.traces]).toMatchObject([{ kind: "unit", poolType: "zfs", place: "tank", name: "v" }]);
  });

  test("stays on record while its zpool is away", async () => {
    const gone = failed("cannot open 'tank': no such pool\n");
    const host = hostThat({ "zfs create": gone, "zfs destroy": gone, "zpool get": gone });
    expect(await errorOf(fill(host))).toContain("no such pool");
    expect(laboratory.traces.size).toBe(1);
  });
});

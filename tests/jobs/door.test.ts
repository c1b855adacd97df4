import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, connect, type Job, type Pool } from "@cistern/client";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startedPool } from "../robustness/directory-pool.js";
import { PrivateDaemon } from "../robustness/private-daemon.js";

const VIRSH = "/usr/bin/virsh";
const GIB = 1024 ** 3;
/** Overwriting so much takes seconds on any disk, and is stopped long before its end. */
const LARGE_BYTES = 4 * GIB;
const PATIENCE_MS = 20_000;

let daemon: PrivateDaemon;
let connection: Connection;
let readOnly: Connection;
let pool: Pool;

beforeAll(async () => {
  daemon = await PrivateDaemon.start();
  connection = await daemon.connect();
  readOnly = await connect(daemon.readOnlySocket, { readOnly: true });
  pool = await startedPool(connection, "images", join(daemon.root, "images"));
  await create("large", LARGE_BYTES);
});
beforeEach(({ skip }) => {
  if (!existsSync(VIRSH)) skip("needs the package libvirt-clients");
});
afterAll(async () => {
  await readOnly?.close();
  await daemon?.close();
});

async function create(name: string, bytes: number): Promise<void> {
  await pool.createVolume(`<volume><name>${name}</name><capacity>${bytes}</capacity></volume>`);
}

interface Ended {
  readonly status: number;
  readonly output: string;
}

/** What libvirt's own client does and says. */
function virsh(...args: string[]): { readonly pid: number | undefined; readonly ended: Promise<Ended> } {
  const line = ["-c", `storage+unix:///system?socket=${daemon.socket}`, ...args];
  let pid: number | undefined;
  const ended = new Promise<Ended>((resolve) => {
    ({ pid } = execFile(VIRSH, line, { timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr });
    }));
  });
  return { pid, ended };
}

/** The job of this kind that is under way, as soon as there is one. */
async function running(kind: Job["kind"]): Promise<Job> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const job = (await readOnly.listJobs()).find((each) => each.kind === kind && each.state === "running");
    if (job !== undefined) return job;
    if (performance.now() > deadline) throw new Error(`no job of kind "${kind}" began`);
    await sleep(10);
  }
}

describe("work that virsh began", () => {
  it("is listed, watched with its progress, and stopped by somebody else", async () => {
    const wiping = virsh("vol-wipe", "--pool", "images", "large");
    const job = await running("wipe");
    expect(job).toMatchObject({
      kind: "wipe",
      pool: "images",
      volume: "large",
      source: null,
      title: "wipe volume 'large' of pool 'images'",
      requester: { door: "rpc", userId: process.getuid?.(), processId: wiping.pid },
      endedAt: null,
      error: null,
    });
    const seen: Job[] = [];
    for await (const each of await readOnly.watchJobs(job.id)) {
      seen.push(each);
      // Some progress was told: enough.
      if (seen.length === 3) await connection.cancelJob(job.id);
    }
    const last = seen.at(-1);
    expect(seen.map(({ id }) => id)).toEqual(seen.map(() => job.id));
    expect(seen[0]?.state).toBe("running");
    expect(seen.map(({ state }) => state)).toContain("cancelling");
    expect(last?.state).toBe("cancelled");
    expect(last?.endedAt).toBeInstanceOf(Date);
    const progress = seen.map(({ doneBytes }) => Number(doneBytes));
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(progress.at(-1)).toBeGreaterThan(0);
    expect(progress.at(-1)).toBeLessThan(LARGE_BYTES);

    const { status, output } = await wiping.ended;
    expect(status).toBe(1);
    expect(output).toContain("operation aborted: ");
    expect((await stat(join(daemon.root, "images/large"))).size).toBe(LARGE_BYTES);
  });

  it("is not stopped, nor limited, by those who may only look", async () => {
    const wiping = virsh("vol-wipe", "--pool", "images", "large");
    const job = await running("wipe");
    await expect(readOnly.cancelJob(job.id)).rejects.toMatchObject({
      code: 29,
      domain: 18,
      message: "operation forbidden: read only access prevents cisternJobCancel",
    });
    await expect(readOnly.setJobBandwidth(job.id, 1n)).rejects.toMatchObject({
      code: 29,
      message: "operation forbidden: read only access prevents cisternJobSetBandwidth",
    });
    expect((await readOnly.lookupJob(job.id)).state).toBe("running");
    await expect(connection.setJobBandwidth(job.id, 2n ** 63n)).rejects.toMatchObject({
      code: 8,
      message: `invalid argument: a bandwidth of ${2n ** 63n} bytes a second is above ${2n ** 63n - 1n}`,
    });
    await connection.setJobBandwidth(job.id, 1_000_000n);
    expect((await readOnly.lookupJob(job.id)).bandwidthBytesPerSecond).toBe(1_000_000n);
    await connection.cancelJob(job.id);
    expect((await wiping.ended).status).toBe(1);
  });

  it("is remembered after its end, in the order of the ends", async () => {
    await create("small", 1_048_576);
    expect((await virsh("vol-clone", "--pool", "images", "small", "copy").ended).status).toBe(0);
    expect(await readOnly.listJobs()).toEqual([]);
    const [before, last] = (await readOnly.listJobs({ ended: true })).slice(-2);
    expect(before).toMatchObject({ kind: "create", volume: "small", state: "done", remainingSeconds: 0 });
    expect(last).toMatchObject({ kind: "clone", volume: "copy", source: "images/small", state: "done" });
    expect(last?.id).toBeGreaterThan(before?.id ?? 0);
  });
});

describe("watching", () => {
  it("a job that has ended tells its end, and ends", async () => {
    await create("ended", 1_048_576);
    const [job] = (await readOnly.listJobs({ ended: true })).slice(-1);
    const seen: string[] = [];
    for await (const { state } of await readOnly.watchJobs(job?.id ?? 0)) seen.push(state);
    expect(seen).toEqual(["done"]);
    await expect(connection.cancelJob(job?.id ?? 0)).rejects.toMatchObject({
      code: 55,
      message: `Requested operation is not valid: job ${job?.id} has ended`,
    });
  });

  it("all jobs tells of each, whoever began it, and of none any more when it was left", async () => {
    const jobs = await readOnly.watchJobs();
    await create("seen", 1_048_576);
    const states: string[] = [];
    for await (const job of jobs) {
      expect(job).toMatchObject({ kind: "create", volume: "seen" });
      states.push(job.state);
      if (job.endedAt !== null) break;
    }
    expect(states[0]).toBe("queued");
    expect(states.at(-1)).toBe("done");
    await create("unseen", 1_048_576);
    // The connection lives, and nothing came that nobody waits for.
    expect((await readOnly.listJobs({ ended: true })).at(-1)).toMatchObject({ volume: "unseen" });
  });

  it.each([4_711, Number.MAX_SAFE_INTEGER])("a job that is not there is refused: %d", async (id) => {
    const refusal = { code: 8, domain: 18, message: `invalid argument: no job with id ${id}` };
    await expect(readOnly.watchJobs(id)).rejects.toMatchObject(refusal);
    await expect(readOnly.lookupJob(id)).rejects.toMatchObject(refusal);
    await expect(connection.cancelJob(id)).rejects.toMatchObject(refusal);
    await expect(connection.setJobBandwidth(id, null)).rejects.toMatchObject(refusal);
  });
});

it("those who may only look see what a pool has promised, and what is in a volume", async () => {
  const before = await readOnly.poolCommitment(pool);
  await pool.createVolume(
    `<volume><name>thin.qcow2</name><capacity unit='TiB'>3</capacity><target><format type='qcow2'/></target></volume>`,
  );
  const after = await readOnly.poolCommitment(pool);
  expect(after.promisedBytes - before.promisedBytes).toBe(3n * 1024n ** 4n);
  expect(after.capacityBytes).toBe((await pool.info()).capacityBytes);
  const { image, chain, isComplete } = await readOnly.inspectVolume(await pool.lookupVolume("thin.qcow2"));
  expect(image).toMatchObject({ format: "qcow2", capacityBytes: 3n * 1024n ** 4n, qcow2: { isDirty: false } });
  expect(chain).toMatchObject([{ role: "volume", inside: { pool: "images", volume: "thin.qcow2" }, problems: [] }]);
  expect(isComplete).toBe(true);
});

import type { Connection } from "@cistern/client";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { describe, expect, it } from "vitest";
import { runAlone } from "./run-alone.js";

const fails = (code: ErrorCode, detail: string) => async (): Promise<never> => {
  throw LibvirtError.of(code, ErrorDomain.STORAGE, detail);
};
const noPath = fails(ErrorCode.NO_STORAGE_VOL, "no storage vol with matching path '/p/gone.raw'");
const noName = fails(ErrorCode.NO_STORAGE_VOL, "no storage vol with matching name 'nosuch'");
const ended = fails(ErrorCode.OPERATION_INVALID, "job 1 has ended");

const POOL_XML = "<pool type='dir'><name>default</name><target><path>/p</path></target></pool>";
const gone = { name: "gone.raw", poolName: "default", key: "/p/gone.raw", info: noPath, xml: noPath, path: noPath };
const pool = {
  name: "default",
  xml: async () => POOL_XML,
  lookupVolume: async (name: string) => (name === gone.name ? gone : noName()),
  listVolumes: async () => [gone],
};

/** What the command says at a server whose volume has vanished since the pool was looked at, and whose job has ended. */
function saying(line: string, changes: object = {}, signal = new AbortController().signal) {
  const connection = {
    lookupPool: async () => pool,
    lookupPoolOfVolume: async () => pool,
    lookupVolumeByKey: noName,
    lookupVolumeByPath: noName,
    watchJobs: async () => (async function* () {})(),
    listJobs: async () => [],
    cancelJob: ended,
    setJobBandwidth: ended,
    uses: { refuseDefined: async () => {} },
    close: async () => {},
    ...changes,
  };
  return runAlone(line.split(" "), { connect: async () => connection as unknown as Connection, signal });
}

const NO_PATH = "Storage volume not found: no storage vol with matching path '/p/gone.raw'";
const REFRESH = "hint: cistern pool-refresh default looks again at what is there\n";

describe("a failure begins with what was being done", () => {
  it.each([
    ["vol-info gone.raw default", "Failed to get information about vol gone.raw"],
    ["vol-dumpxml gone.raw default", "Failed to get the document of vol gone.raw"],
    ["vol-clone gone.raw g2 default", "Failed to clone vol from gone.raw"],
    ["vol-disk-xml default gone.raw vda", "Failed to get the document of vol gone.raw"],
  ])("%s", async (line, task) => {
    expect(await saying(line)).toMatchObject({
      status: 3,
      stdout: "",
      stderr: `cistern: ${task}: ${NO_PATH}\n${REFRESH}`,
    });
  });

  it("vol-disk-xml of a volume that was never there", async () => {
    const reason = "Storage volume not found: no storage vol with matching name 'nosuch'";
    const hint = "hint: cistern vol-list default shows what there is\n";
    const { status, stderr } = await saying("vol-disk-xml default nosuch vda");
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr: `cistern: failed to get vol 'nosuch': ${reason}\n${hint}`,
    });
  });

  it.each([
    ["job-cancel 1", "Failed to cancel job 1"],
    ["job-cancel 1 --wait", "Failed to cancel job 1"],
    ["job-limit 1 50M", "Failed to limit job 1"],
  ])("%s", async (line, task) => {
    const { status, stderr } = await saying(line);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `cistern: ${task}: Requested operation is not valid: job 1 has ended\n`,
    });
  });
});

it("of several names those before the first that fails are done, and said", async () => {
  const lookupVolume = async (name: string) => (name === "nosuch" ? noName() : { ...gone, delete: async () => {} });
  const changes = { lookupPool: async () => ({ ...pool, lookupVolume }) };
  const { status, stdout } = await saying("vol-delete --pool default data.img nosuch other.img", changes);
  expect({ status, stdout }).toEqual({ status: 3, stdout: "Vol data.img deleted\n" });
});

describe("a program's last line end is not said", () => {
  const error = {
    code: 1,
    domain: 18,
    message: "internal error: Child process (cp a b) unexpected exit status 1: no\n",
  };
  const job = {
    ...{ id: 7, state: "failed", kind: "clone", pool: "default", volume: "v", title: "clone v", error },
    ...{ createdAt: new Date(0), startedAt: null, endedAt: new Date(1), doneBytes: 0n, totalBytes: null },
    ...{ bytesPerSecond: 0n, remainingSeconds: null, bandwidthBytesPerSecond: null, way: null, remarks: [] },
    requester: { door: "daemon", userId: null, processId: null, client: null },
  };

  it("in the overview", async () => {
    const uses = { domainSources: async () => [], conflicts: async () => ({ items: [], doubts: [] }) };
    const { stdout } = await saying("overview", { listPools: async () => [], listJobs: async () => [job], uses });
    expect(stdout).toContain(
      "\n ! clone v: failed, internal error: Child process (cp a b) unexpected exit status 1: no\n",
    );
  });

  it("in a job's facts", async () => {
    const { stdout } = await saying("job-info 7", { lookupJob: async () => job });
    expect(stdout).toMatch(/^Error: +internal error: .* 1: no$/m);
  });

  it("in front of a hint", async () => {
    const refuse = fails(ErrorCode.NO_STORAGE_VOL, "no storage vol with matching path '/p/gone.raw'\n");
    const lookupPool = async () => ({ ...pool, lookupVolume: async () => ({ ...gone, xml: refuse }) });
    expect((await saying("vol-dumpxml gone.raw default", { lookupPool })).stderr).toMatch(
      /'\/p\/gone\.raw'\nhint: .*\n$/,
    );
  });
});

it("work that was stopped by Ctrl-C was cancelled, and nothing is broken", async () => {
  const interruption = new AbortController();
  const stopped = fails(ErrorCode.OPERATION_ABORTED, "Failed to write 3221225472 bytes to '/p/v'");
  const wipe = () => {
    interruption.abort();
    return stopped();
  };
  const lookupPool = async () => ({ ...pool, lookupVolume: async () => ({ ...gone, wipe }) });
  for (const changes of [{}, { watchJobs: fails(ErrorCode.NO_SUPPORT, "x") }]) {
    const { status, stderr } = await saying(
      "vol-wipe gone.raw default",
      { lookupPool, ...changes },
      interruption.signal,
    );
    expect(status).toBe(130);
    expect(stderr).toMatch(
      /^cistern: Failed to wipe vol gone\.raw: operation aborted: cancelled by Ctrl-C or another signal\n/,
    );
  }
});

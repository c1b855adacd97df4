import { closeSync, fstatSync, openSync, readSync, statSync, truncateSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { byEffort } from "../../../../tests/support/effort.ts";
import { emptyQcow2Of, writeEmptyQcow2 } from "../../dist/drivers/shared/create-qcow2.js";
import { creationOf, type ImagePlan, planImage } from "../../dist/drivers/shared/image-plan.js";
import type { File } from "../../dist/host/host.js";
import { qemuImg, qemuIo } from "../images/shared.js";
import { pool, volume, type Wanted } from "./documents.js";
import { errorOf, Laboratory } from "./laboratory.js";

let laboratory: Laboratory;
beforeEach(() => {
  laboratory = new Laboratory();
});
afterEach(() => laboratory.close());

const KiB = 1_024n;
const MiB = 1_048_576n;
const GiB = 1_073_741_824n;
const TiB = 1_099_511_627_776n;
const at = (name: string): string => laboratory.path(name);
/** One more block of ext4 for a file with more pieces than its inode has room for: up to where they happened to fall. */
const EXTENT_BLOCK_SECTORS = 8;

const plan = async (wanted: Wanted, preallocates = false): Promise<ImagePlan> =>
  planImage(
    pool("dir", laboratory.root),
    volume("v", { format: "qcow2", ...wanted }),
    null,
    preallocates,
    { output: null, input: null },
    await laboratory.context(),
  );

async function withFile<T>(name: string, use: (file: File) => Promise<T>): Promise<T> {
  await using directory = await laboratory.host.openDirectory(laboratory.root);
  await using file = await directory.open(name, { access: "read-write", create: "exclusive", mode: 0o600 });
  return await use(file);
}

async function writeOurs(name: string, made: ImagePlan): Promise<void> {
  const empty = emptyQcow2Of(made);
  if (empty === null) throw new Error("This image would be left to qemu-img.");
  const { job } = await laboratory.context();
  await withFile(name, async (file) => {
    await writeEmptyQcow2(empty, file, job);
    // As qemu-img does at its end: what is not on the disk is counted otherwise.
    await file.sync();
  });
}

async function writeTheirs(name: string, made: ImagePlan): Promise<void> {
  const result = await withFile(name, (file) => laboratory.host.run(creationOf(made, { file, name })));
  if (result.exitStatus !== 0) throw new Error(result.stderr);
}

const info = (name: string): Record<string, unknown> => {
  const { filename, "full-backing-filename": _full, ...facts } = JSON.parse(qemuImg("info", "--output=json", at(name)));
  expect(filename).toBe(at(name));
  return facts;
};

/** The same file as qemu-img makes, and the same to qemu. The names of both. */
async function compare(wanted: Wanted, preallocates = false): Promise<readonly string[]> {
  const made = await plan(wanted, preallocates);
  const names = [`ours-${counter}`, `theirs-${counter++}`] as const;
  const [ours, theirs] = names;
  await writeOurs(ours, made);
  await writeTheirs(theirs, made);
  expect(qemuImg("check", at(ours))).toContain("No errors were found");
  const { "actual-size": ourSize, ...ourInfo } = info(ours);
  const { "actual-size": theirSize, ...theirInfo } = info(theirs);
  expect(ourInfo).toEqual(theirInfo);
  expect(statSync(at(ours)).size).toBe(statSync(at(theirs)).size);
  const blocksOfPieces = made.preallocation === null ? 0 : EXTENT_BLOCK_SECTORS;
  expect(Math.abs(Number(ourSize) - Number(theirSize))).toBeLessThanOrEqual(blocksOfPieces * 512);
  expect(qemuImg("compare", "-f", "qcow2", "-F", "qcow2", at(ours), at(theirs))).toContain("Images are identical.");
  // Of a disk without a byte, qemu-img leaves the outgrown refcount table where it was.
  if (made.preallocation !== "falloc" || wanted.capacityBytes !== 0n) expect(firstDifference(ours, theirs)).toBeNull();
  return names;
}
let counter = 0;

/** Of two files of one length. Holes are read as zeros; where there are terabytes of them, only what comes first. */
function firstDifference(one: string, other: string): number | null {
  const descriptors = [one, other].map((name) => openSync(at(name), "r"));
  try {
    const [left = -1, right = -1] = descriptors;
    const length = Math.min(fstatSync(left).size, 256 * 1_048_576);
    const block = 1_048_576;
    const buffers = [Buffer.alloc(block), Buffer.alloc(block)] as const;
    for (let position = 0; position < length; position += block) {
      const lengths = [readSync(left, buffers[0], { position }), readSync(right, buffers[1], { position })];
      if (!buffers[0].subarray(0, lengths[0]).equals(buffers[1].subarray(0, lengths[1]))) return position;
    }
    return null;
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

describe("an empty qcow2 is the file that libvirt's qemu-img command would have made", { timeout: 120_000 }, () => {
  const SIZES = [0n, 512n, MiB, GiB, TiB, 1_234_567_891n, 8n * GiB, 8n * GiB + KiB];
  const v3 = { compat: "1.1" };
  const rows: [string, Wanted, readonly bigint[]][] = [
    ["version 2, as by default", {}, SIZES],
    ["version 2 said", { compat: "0.10" }, [MiB]],
    ["clusters of 512 bytes", { clusterSizeBytes: 512n }, [0n, MiB, 8n * MiB, 508n * MiB]],
    ["clusters of 4 KiB", { clusterSizeBytes: 4_096n }, [MiB, GiB, 2n * GiB + KiB]],
    ["clusters of 2 MiB", { clusterSizeBytes: 2n * MiB }, [0n, MiB, 64n * TiB, 512n * GiB, 512n * GiB + KiB]],
    ["version 3", v3, SIZES],
    ["version 3, clusters of 512 bytes", { ...v3, clusterSizeBytes: 512n }, [0n, MiB, 9n * MiB]],
    ["version 3, clusters of 8 KiB", { ...v3, clusterSizeBytes: 8_192n }, [MiB, 9n * MiB]],
    ["lazy refcounts", { ...v3, features: ["lazy_refcounts"] }, [MiB, GiB]],
    ["extended L2", { ...v3, features: ["extended_l2"] }, [0n, MiB, GiB, TiB]],
    ["both, 16 KiB", { ...v3, features: ["extended_l2", "lazy_refcounts"], clusterSizeBytes: 16_384n }, [MiB, GiB]],
  ];
  test.each(rows)("%s", async (_, wanted, sizes) => {
    for (const capacityBytes of sizes) await compare({ ...wanted, capacityBytes });
  });

  const preallocated: [string, Wanted, readonly bigint[]][] = [
    ["version 2", {}, [0n, 512n, MiB, 100_001n * KiB, GiB]],
    // The second refcount block is put between the data; at 3 MiB one begins with a run of data.
    ["clusters of 512 bytes", { clusterSizeBytes: 512n }, [KiB, 3n * MiB, 7n * MiB + KiB]],
    ["clusters of 4 KiB", { ...v3, clusterSizeBytes: 4_096n }, [9n * MiB, 100n * MiB + 3n * KiB]],
    ["clusters of 2 MiB", { clusterSizeBytes: 2n * MiB }, [MiB, 32n * MiB + KiB]],
    ["extended L2", { ...v3, features: ["extended_l2"] }, [KiB, MiB, 100n * MiB + 3n * KiB]],
  ];
  test.each(preallocated)("every guest cluster mapped: %s", async (_, wanted, sizes) => {
    for (const capacityBytes of sizes) await compare({ ...wanted, capacityBytes, allocationBytes: 0n }, true);
  });
  test.each(preallocated)("and with space for its data: %s", async (_, wanted, sizes) => {
    for (const capacityBytes of sizes) {
      if (capacityBytes < GiB) await compare({ ...wanted, capacityBytes, allocationBytes: capacityBytes }, true);
    }
  });
  test("and with space for its data, up to the last cluster that its refcount blocks count, and beyond", async () => {
    for (const clusters of [244n, 246n, 248n, 494n, 496n, 498n, 998n, 1_500n, 32_372n, 32_374n, 32_376n]) {
      const capacityBytes = clusters * 512n;
      await compare({ clusterSizeBytes: 512n, capacityBytes, allocationBytes: capacityBytes }, true);
    }
  });
  test("every guest cluster mapped, with refcount blocks among the data", async () => {
    const sparse = { allocationBytes: 0n };
    await compare({ ...sparse, capacityBytes: 3n * GiB, clusterSizeBytes: 16_384n }, true);
    await compare({ ...sparse, capacityBytes: 9n * GiB + KiB, clusterSizeBytes: 131_072n }, true);
    // Here a table tells more clusters than qemu asks for at once.
    await compare({ ...sparse, capacityBytes: 2n * TiB + 4n * GiB, clusterSizeBytes: 2n * MiB }, true);
  });

  test("overlays: absolute, relative, of raw, of qcow2, and with the capacity of what is below", async () => {
    writeFileSync(at("base.raw"), "x".repeat(1_000));
    truncateSync(at("base.raw"), 3_000_000);
    qemuImg("create", "-f", "qcow2", at("base.qcow2"), "5M");
    qemuImg("create", "-f", "qcow2", "-o", "compat=0.10,cluster_size=512", at("bäse, 2"), "7M");
    const backings = [
      { path: at("base.raw"), format: "raw" },
      { path: at("base.qcow2"), format: "qcow2" },
      { path: at("bäse, 2"), format: "qcow2" },
      { path: at("base.qcow2"), format: "raw" },
      { path: "base.raw", format: "raw" },
      { path: "base.qcow2", format: "qcow2" },
    ];
    for (const backing of backings) {
      for (const capacityBytes of [0n, 10n * MiB]) {
        await compare({ backing, capacityBytes });
        await compare({ backing, capacityBytes, compat: "1.1", clusterSizeBytes: 512n });
      }
      await compare({ backing, compat: "1.1", features: ["extended_l2"] });
    }
  });
});

test("what qemu writes into it stays in order", async () => {
  for (const [index, wanted] of (
    [
      {},
      { compat: "1.1", features: ["lazy_refcounts"] },
      { compat: "1.1", features: ["extended_l2"], allocationBytes: 0n },
      { clusterSizeBytes: 512n, capacityBytes: 5n * MiB, allocationBytes: 0n },
      { clusterSizeBytes: 4_096n, capacityBytes: 5n * MiB },
    ] satisfies Wanted[]
  ).entries()) {
    for (const preallocates of [false, true]) {
      const name = `written-${index}-${preallocates}`;
      await writeOurs(name, await plan({ capacityBytes: 5n * MiB, ...wanted }, preallocates));
      qemuIo(at(name), "write -P 7 0 1M", "write -P 9 2000k 1500k", "write -P 3 5242368 512");
      expect(qemuImg("check", at(name))).toContain("No errors were found");
      expect(qemuIo(at(name), "read -P 7 0 1M", "read -P 9 2000k 1500k", "read -P 0 1M 900k")).not.toContain("failed");
    }
  }
});

test("whatever the options, it is qemu-img's file", async () => {
  const options = fc.record({
    clusterBits: fc.integer({ min: 9, max: 21 }),
    capacityBytes: fc.oneof(
      fc.bigInt({ min: 1n, max: 64n * MiB }),
      fc.bigInt({ min: 1n, max: MiB }),
      fc.bigInt({ min: 1n, max: 1n << 46n }),
    ),
    version: fc.constantFrom("0.10", "1.1"),
    features: fc.subarray(["lazy_refcounts", "extended_l2"] as const),
    preallocation: fc.constantFrom(null, "metadata", "falloc"),
  });
  let count = 0;
  await fc.assert(
    fc.asyncProperty(options, async ({ clusterBits, capacityBytes, version, features, preallocation }) => {
      // Checking goes through every cluster.
      const largest = preallocation === null ? 1n << 46n : preallocation === "metadata" ? 8n * GiB : 64n * MiB;
      const capacity = (capacityBytes % largest) + 1n;
      const wanted = {
        capacityBytes: capacity,
        allocationBytes: preallocation === "metadata" ? 0n : capacity,
        clusterSizeBytes: 1n << BigInt(clusterBits),
        compat: version,
        features: version === "0.10" ? [] : features,
      };
      if (emptyQcow2Of(await plan(wanted, preallocation !== null)) === null) return;
      for (const name of await compare(wanted, preallocation !== null)) truncateSync(at(name), 0);
      count++;
    }),
    { numRuns: byEffort({ fast: 10, normal: 40, long: 1_000 }) },
  );
  expect(count).toBeGreaterThan(0);
}, 600_000);

describe("left to qemu-img, which makes it or says why not", () => {
  const rows: [string, Wanted][] = [
    ["another format", { format: "qed" }],
    ["a cluster size that is none", { clusterSizeBytes: 1_000n }],
    ["clusters too small", { clusterSizeBytes: 256n }],
    ["clusters too large", { clusterSizeBytes: 4n * MiB }],
    ["extended L2 with small clusters", { compat: "1.1", features: ["extended_l2"], clusterSizeBytes: 8_192n }],
    ["a compat level that nobody knows", { compat: "1.2" }],
    ["an L1 table beyond qemu's limit", { capacityBytes: 1n << 62n }],
    ["of tiny clusters, an L1 table that takes many of them", { capacityBytes: TiB, clusterSizeBytes: 1_024n }],
    ["a backing file of another format", { backing: { path: "/etc/passwd", format: "vmdk" } }],
    ["a backing file that is a device without a size", { backing: { path: "/dev/null", format: "raw" } }],
    ["a backing directory", { backing: { path: "/", format: "raw" } }],
  ];
  test.each(rows)("%s", async (_, wanted) => {
    expect(emptyQcow2Of(await plan(wanted))).toBeNull();
  });

  test("preallocation that outgrows the refcount table", async () => {
    expect(emptyQcow2Of(await plan({ capacityBytes: 17n * TiB, allocationBytes: 0n }, true))).toBeNull();
    expect(emptyQcow2Of(await plan({ capacityBytes: 15n * TiB, allocationBytes: 0n }, true))).not.toBeNull();
  });

  test("a backing file that may not be what it is said to be", async () => {
    writeFileSync(at("text"), "no image".repeat(100));
    qemuImg("create", "-f", "qcow2", at("base"), "1M");
    qemuImg("create", "-f", "qcow2", "-b", at("base"), "-F", "qcow2", at("overlay"));
    qemuImg("create", "-f", "qcow2", at("snapshots"), "1M");
    qemuImg("snapshot", "-c", "one", at("snapshots"));
    writeFileSync(at("nbd:x"), "");
    const native = async (path: string) => emptyQcow2Of(await plan({ backing: { path, format: "qcow2" } })) !== null;
    expect(await native(at("base"))).toBe(true);
    for (const path of [at("text"), at("overlay"), at("snapshots"), "nbd:x"]) expect(await native(path)).toBe(false);
  });
});

describe("writing", () => {
  test("an image of qemu's clusters takes one write", async () => {
    const empty = emptyQcow2Of(await plan({ capacityBytes: 64n * GiB }));
    const { job } = await laboratory.context();
    const calls: string[] = [];
    await withFile("counted", async (file) => {
      const counting = new Proxy(file, {
        get: (target, key) => {
          const value: unknown = Reflect.get(target, key, target);
          if (typeof value !== "function") return value;
          return (...args: unknown[]) => {
            calls.push(String(key));
            return Reflect.apply(value, target, args);
          };
        },
      });
      if (empty !== null) await writeEmptyQcow2(empty, counting, job);
    });
    expect(calls).toEqual(["write"]);
    expect(qemuImg("check", at("counted"))).toContain("No errors were found");
  });

  test("says how far it is, up to the end", async () => {
    await writeOurs("far", await plan({ capacityBytes: 64n * MiB }, true));
    const done = laboratory.progress.map(([bytes]) => bytes);
    expect(done.length).toBeGreaterThan(1);
    expect(done).toEqual(done.toSorted((one, other) => Number(one - other)));
    expect(new Set(laboratory.progress.map(([, total]) => total))).toEqual(new Set([done.at(-1)]));
  });

  test("ends when it is called off", async () => {
    const made = await plan({ capacityBytes: 4n * TiB, allocationBytes: 0n }, true);
    const writing = writeOurs("off", made);
    laboratory.abort();
    expect(await errorOf(writing)).toMatch(/^78\/18 operation aborted: cannot write to file/);
    expect(statSync(at("off")).size).toBeLessThan(2_000_000);
  });
});

import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import type { VolumeDocument } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fileVolumes } from "../../dist/drivers/shared/file-volumes.js";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import { DocumentParser } from "../../dist/parsing/parser.js";
import { PoolCommitments } from "../../dist/pools/commitment.js";
import { VolumeCreation } from "../../dist/volumes/creation.js";
import type { VolumeBackends } from "../../dist/volumes/work.js";
import { directoryOn } from "./directory-on.js";
import { Storage } from "./storage.js";

const MIB = 1_048_576;

let storage: Storage;
let images: string;
beforeEach(async () => {
  storage = await Storage.open();
  images = storage.directory("images");
});
afterEach(() => storage.close());

const at = (name: string): string => `${images}/${name}`;

/** As a client asks for it, with the source as the last look saw it. `kind`: what the pool's volumes are. */
async function clone(
  source: string,
  capacityBytes: number,
  format = "raw",
  refuseRatio: number | null = null,
  kind: "file" | "block" = "file",
) {
  const commitments = new PoolCommitments({ warnRatio: () => null, refuseRatio: () => refuseRatio }, () => {});
  const driverOf: VolumeBackends["driverOf"] = (document) => {
    const driver = storage.backends.driverOf(document);
    return { ...driver, traits: { ...driver.traits, volumeKind: kind } };
  };
  const backends = { ...storage.backends, commitments, driverOf };
  const creation = new VolumeCreation(storage.pools, storage.volumes, backends, new DocumentParser());
  const pool = storage.registry.byName("images");
  const xml =
    `<volume><name>clone</name><capacity>${capacityBytes}</capacity><allocation>0</allocation>` +
    `<target><format type="${format}"/></target></volume>`;
  const handle = { name: pool.name, uuid: pool.uuid };
  const from = { pool: "images", name: source };
  const { volume } = await creation.createFrom(handle, xml, from, 0, DAEMON_REQUESTER);
  return volume.document as VolumeDocument;
}

describe("a source that has grown since it was last looked at is cloned whole", () => {
  const grow = async (): Promise<void> => {
    writeFileSync(at("source"), "a".repeat(MIB));
    await storage.started("images");
    appendFileSync(at("source"), "b".repeat(MIB));
    // A hole at the end.
    truncateSync(at("source"), 3 * MIB);
  };

  test.for(["ext4", "xfs"] as const)("on %s", async (type, context) => {
    await using _disk = directoryOn(type, images, storage, context);
    await grow();
    const { capacityBytes } = await clone("source", MIB);
    expect(readFileSync(at("clone")).equals(readFileSync(at("source")))).toBe(true);
    expect(capacityBytes).toBe(BigInt(3 * MIB));
  });

  test("where blocks are shared, also if it grows at the last moment", async (context) => {
    await using _disk = directoryOn("xfs", images, storage, context);
    await grow();
    storage.operations = {
      fill: (...args) => {
        appendFileSync(at("source"), "c".repeat(MIB));
        return fileVolumes.fill(...args);
      },
    };
    expect(await clone("source", MIB)).toMatchObject({ capacityBytes: BigInt(4 * MIB) });
    expect(readFileSync(at("clone")).equals(readFileSync(at("source")))).toBe(true);
  });

  test("and what it promises counts", async () => {
    await grow();
    const { capacityBytes } = storage.registry.byName("images").live;
    // Room for what is there, and for a clone of what was there: 3 MiB are more than that.
    const ratio = (2.5 * MIB) / Number(capacityBytes);
    await expect(clone("source", MIB, "raw", ratio)).rejects.toMatchObject({ code: 9 });
    expect(storage.registry.byName("images").volumes.get("clone")).toBeUndefined();
  });
});

test("a clone is at least as large as it was asked to be", async () => {
  writeFileSync(at("source"), "a".repeat(MIB));
  await storage.started("images");
  truncateSync(at("source"), 10);
  expect(await clone("source", 2 * MIB)).toMatchObject({ capacityBytes: BigInt(2 * MIB) });
  expect(statSync(at("clone")).size).toBe(2 * MIB);
});

describe("a symlink as the source", () => {
  const formats = [
    ["raw", "raw"],
    ["raw", "qcow2"],
    ["qcow2", "raw"],
    ["qcow2", "qcow2"],
  ] as const;
  const make = async (format: string): Promise<void> => {
    const pool = await storage.started("images");
    const xml = `<volume><name>source</name><capacity>${MIB}</capacity><target><format type="${format}"/></target></volume>`;
    await storage.create(pool, xml);
  };
  const putElsewhere = (): void => {
    renameSync(at("source"), storage.path("elsewhere"));
    symlinkSync(storage.path("elsewhere"), at("source"));
  };

  test.each(formats)("is not followed where the last scan saw a volume of %s: a clone as %s", async (from, to) => {
    await make(from);
    putElsewhere();
    const refusal = {
      code: 38,
      message: `could not open input path '${at("source")}': Too many levels of symbolic links`,
    };
    await expect(clone("source", MIB, to)).rejects.toMatchObject(refusal);
    expect(existsSync(at("clone"))).toBe(false);
  });

  test.each(formats)("is followed where the last scan saw one to a volume of %s: a clone as %s", async (from, to) => {
    await make(from);
    putElsewhere();
    await storage.scan(storage.registry.byName("images"));
    expect(await clone("source", MIB, to)).toMatchObject({ capacityBytes: BigInt(MIB) });
  });

  test("is followed in a pool of devices, where udev makes the names", async () => {
    await make("raw");
    putElsewhere();
    expect(await clone("source", MIB, "raw", null, "block")).toMatchObject({ capacityBytes: BigInt(MIB) });
  });
});

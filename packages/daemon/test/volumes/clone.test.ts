import { appendFileSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import type { VolumeDocument } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fileVolumes } from "../../dist/drivers/shared/file-volumes.js";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import { DocumentParser } from "../../dist/parsing/parser.js";
import { PoolCommitments } from "../../dist/pools/commitment.js";
import { VolumeCreation } from "../../dist/volumes/creation.js";
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

/** As a client asks for it, with the source as the last look saw it. */
async function clone(source: string, capacityBytes: number, format = "raw", refuseRatio: number | null = null) {
  const commitments = new PoolCommitments({ warnRatio: () => null, refuseRatio: () => refuseRatio }, () => {});
  const backends = { ...storage.backends, commitments };
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

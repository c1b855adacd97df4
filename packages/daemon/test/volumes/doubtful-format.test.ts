import type { VolumeDocument } from "@cistern/documents";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Pool } from "../../dist/pools/pool.js";
import { UNGUARDED } from "../../dist/pools/use-guard.js";
import { Volume } from "../../dist/pools/volume.js";
import { refuseDoubtfulFormat } from "../../dist/volumes/work.js";
import { pool, volume } from "../drivers/documents.js";
import { Storage } from "./storage.js";

let storage: Storage;
beforeEach(async () => {
  storage = await Storage.open();
});
afterEach(() => storage.close());

const looks: readonly (readonly [string, Partial<VolumeDocument>, string | null, boolean])[] = [
  ["an image", {}, "qcow2", true],
  ["raw bytes", {}, "raw", false],
  ["bytes of which nothing is said", {}, null, false],
  ["what is put into a drive for CDs", {}, "iso", false],
  ["a partition, whose format is no image's", { type: "block" }, "linux", false],
];
test.for(looks)(
  "whether guests take it for raw is asked only of what is read as an image: %s",
  async ([, more, format, asks]) => {
    const whole = volume("a");
    const document = { ...whole, ...more, target: { ...whole.target, format } };
    const asked: string[] = [];
    const uses = { ...UNGUARDED, probedFormat: async (_: Pool, { name }: Volume) => void asked.push(name) };
    const placed = { pool: new Pool(pool("dir", "/images")), volume: new Volume({ document, evidence: null }) };
    await refuseDoubtfulFormat(placed, { ...storage.backends, uses });
    expect(asked).toEqual(asks ? ["a"] : []);
  },
);

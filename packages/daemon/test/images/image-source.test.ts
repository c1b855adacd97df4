import { expect, test } from "vitest";
import { BoundedSource, NotRead } from "../../dist/images/image-source.js";
import { TableCursor } from "../../dist/images/table-cursor.js";
import { imageLimits } from "../../dist/limits.js";
import { countedSource } from "./image-source.js";

const { imageBytes, imageReads, tablePieceBytes } = imageLimits;
const huge = 1n << 62n;

test("an image is read no further than the limit of all its reads together", async () => {
  const source = countedSource(Buffer.alloc(imageBytes + 1), huge);
  const bounded = new BoundedSource(source);
  expect(await bounded.upTo("The first half", 0n, imageBytes / 2)).toHaveLength(imageBytes / 2);
  expect(await bounded.upTo("The second half", 0n, imageBytes / 2)).toHaveLength(imageBytes / 2);
  await expect(bounded.upTo("The rest", 0n, 1)).rejects.toThrow("The rest is more than is read of an image.");
  expect(source.bytesRead).toBe(imageBytes);
});

test("nor in more steps than the limit", async () => {
  const bounded = new BoundedSource(countedSource(Buffer.alloc(1), huge));
  for (let step = 0; step < imageReads; step++) await bounded.upTo("A byte", 0n, 1);
  await expect(bounded.upTo("Another byte", 0n, 1)).rejects.toThrow(NotRead);
});

test("what begins or ends beyond the file is not asked for", async () => {
  const source = countedSource(Buffer.alloc(10));
  const bounded = new BoundedSource(source);
  for (const [offset, length] of [
    [0n, 11],
    [10n, 1],
    [-1n, 1],
    [1n << 63n, 1],
    [(1n << 64n) - 1n, 4_096],
  ] as const) {
    await expect(bounded.exactly("It", offset, length)).rejects.toThrow(NotRead);
  }
  expect(await bounded.upTo("It", 8n, 100)).toHaveLength(2);
  expect(await bounded.upTo("It", 1n << 63n, 100)).toHaveLength(0);
  expect(source.reads).toBe(1);
});

test("a file that became shorter since its size was asked is cut off, not an error of the storage", async () => {
  const bounded = new BoundedSource(countedSource(Buffer.alloc(10), 100n));
  await expect(bounded.exactly("The table", 5n, 10)).rejects.toThrow("The table at 5 is cut off.");
});

test("only what the image asks for in vain is a problem of the image", async () => {
  const bounded = new BoundedSource(countedSource(Buffer.alloc(10)));
  expect(await bounded.attempt<unknown>("none", () => bounded.exactly("It", 20n, 1))).toBe("none");
  expect(bounded.problems).toEqual(["It at 20 lies beyond the end of the file."]);
  await expect(bounded.attempt("none", () => Promise.reject(new Error("EIO")))).rejects.toThrow("EIO");
  for (let count = 0; count < 100; count++) bounded.problem("More.");
  expect(bounded.problems).toHaveLength(imageLimits.problems);
});

test("a table is read in pieces, and its entries may lie across them", async () => {
  const content = Buffer.alloc(3 * tablePieceBytes);
  for (let at = 0; at < content.length; at += 4) content.writeUInt32BE(at, at);
  const source = countedSource(content);
  const table = new TableCursor("The table", 0n, BigInt(content.length), new BoundedSource(source));
  const entryBytes = 1_000;
  for (let at = 0; at + entryBytes <= content.length; at += entryBytes) {
    const entry = await table.take(entryBytes);
    expect([entry.u32(0), entry.u32(entryBytes - 4)]).toEqual([at, at + entryBytes - 4]);
  }
  expect(source.reads).toBeLessThan(6);
  await expect(table.take(entryBytes)).rejects.toThrow(/^The table goes on at \d+ beyond its end/);
  await expect(table.take(tablePieceBytes + 1)).rejects.toThrow(NotRead);
});

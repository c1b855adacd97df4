import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import type { VolumeDocument } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { directoryDriver } from "../../dist/drivers/directory.js";
import type { Command } from "../../dist/host/host.js";
import { imageLimits } from "../../dist/limits.js";
import { qcow2Image } from "../images/made-images.js";
import { qemuImg } from "../images/shared.js";
import { pool, volume, volumeIn } from "./documents.js";
import { create, errorOf, Laboratory } from "./laboratory.js";
import { standIn } from "./stand-in.js";

/** Images that guests and uploaders wrote: qemu-img would go round in them for minutes. */

let laboratory: Laboratory;
let images: string;
beforeEach(() => {
  laboratory = new Laboratory();
  images = laboratory.path("images");
  mkdirSync(images);
});
afterEach(() => laboratory.close());

const MiB = 1_048_576n;
const at = (name: string): string => laboratory.path("images", name);
const definition = () => pool("dir", images);

function put(name: string, backing: string, format: string | undefined = "qcow2"): void {
  writeFileSync(at(name), qcow2Image({ backing, ...(format === undefined ? {} : { format }) }));
}

/** A file that is there, as a document of this format. */
function as(name: string, format = "qcow2"): VolumeDocument {
  return volumeIn(images, name, { format });
}

/** Without waiting for qemu-img's minutes: a run of it is an answer of its own. */
async function withoutQemuImg() {
  const run = (command: Command): Promise<never> => Promise.reject(new Error(`${command.program} was run`));
  return { ...(await laboratory.context()), host: standIn(laboratory.host, { run }) };
}

const clone = async (name: string) =>
  create(directoryDriver, definition(), volume("new", { format: "qcow2" }), await withoutQemuImg(), {
    source: as(name),
  });
const resize = async (name: string) =>
  directoryDriver.volumes?.resize?.(definition(), as(name), 2n * MiB, 0, await withoutQemuImg());
const overlay = async (name: string) =>
  create(
    directoryDriver,
    definition(),
    volume("new", { format: "qcow2", backing: { path: at(name), format: "qcow2" } }),
    await withoutQemuImg(),
  );
const ways: [string, (name: string) => Promise<unknown>][] = [
  ["a clone", clone],
  ["a resize", resize],
  ["an overlay", overlay],
];

describe.each(ways)("%s", (_, use) => {
  test("of a chain that comes back: refused with the link where it does, nothing is left or changed", async () => {
    put("cycA", "cycB");
    put("cycB", at("cycA"));
    const before = readFileSync(at("cycA"));
    expect(await errorOf(use("cycA"))).toBe(
      `9/18 operation failed: cannot open image '${at("cycA")}': its backing chain cannot be followed to an end: ` +
        `link 2, '${at("cycA")}' (named by '${at("cycB")}'): It is link 0 of this chain already.`,
    );
    expect(readdirSync(images)).toEqual(["cycA", "cycB"]);
    expect(readFileSync(at("cycA")).equals(before)).toBe(true);
  });

  test("of one that comes back further down, by a symlink, with a format that is not declared", async () => {
    symlinkSync("b", at("link"));
    put("a", "b");
    put("b", "c");
    put("c", "link", undefined);
    expect(await errorOf(use("a"))).toMatch(/link 3, .* It is link 1 of this chain already\.$/);
  });

  test("of one that is too long", async () => {
    for (let at = 0; at < imageLimits.chainLinks; at++) put(`${at}`, `${at + 1}`);
    writeFileSync(at(`${imageLimits.chainLinks}`), qcow2Image());
    expect(await errorOf(use("0"))).toMatch(/^9\/18 .*link 199, .* beyond 200 links\.$/);
    // One less is as many as are followed.
    await expect(use("1")).rejects.toThrow("qemu-img was run");
  });

  test("of what ends in itself as plain content, or in nothing: qemu-img's to say", async () => {
    put("self", "self", "raw");
    await expect(use("self")).rejects.toThrow("qemu-img was run");
    put("alone", "gone");
    await expect(use("alone")).rejects.toThrow("qemu-img was run");
  });
});

test("a sound chain is cloned, resized and built on by qemu-img as ever", async () => {
  qemuImg("create", "-f", "qcow2", at("base"), "1M");
  qemuImg("create", "-f", "qcow2", "-b", "base", "-F", "qcow2", at("top"));
  const context = await laboratory.context();
  await create(directoryDriver, definition(), volume("copy", { format: "qcow2" }), context, { source: as("top") });
  await directoryDriver.volumes?.resize?.(definition(), as("top"), 2n * MiB, 0, context);
  const backing = { path: at("top"), format: "qcow2" };
  await create(directoryDriver, definition(), volume("over", { format: "qcow2", backing }), context);
  expect(existsSync(at("copy"))).toBe(true);
  expect(JSON.parse(qemuImg("info", "--output=json", at("top")))["virtual-size"]).toBe(2_097_152);
  expect(JSON.parse(qemuImg("info", "--output=json", at("over")))["backing-filename"]).toBe(at("top"));
});

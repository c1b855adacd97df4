import { describe, expect, test } from "vitest";
import { AttachmentGuard } from "../../dist/attachments/guard.js";
import type { Attachment } from "../../dist/attachments/model.js";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import { Pool } from "../../dist/pools/pool.js";
import { Volume } from "../../dist/pools/volume.js";
import { pool, volume } from "../drivers/documents.js";
import { errorOf } from "../drivers/laboratory.js";
import { attachment, inPool } from "./known.js";

const images = new Pool(pool("dir", "/images"));

function guardOver(read: () => readonly Attachment[], refusesDefinedUses: boolean) {
  const warned: string[] = [];
  const attachments = {
    ofPoolNow: async () => read(),
    ofVolumeNow: async () => read(),
    settled: async () => {},
    refreshDomain: async () => true,
    unknowns: () => [],
  };
  const settings = { refusesDefinedUses: () => refusesDefinedUses, warn: (text: string) => void warned.push(text) };
  return { guard: new AttachmentGuard(attachments, settings), warned };
}

const running = attachment("web", "/images/a", inPool(images.name, "a"));
const defined: Attachment = {
  ...running,
  domain: { ...running.domain, name: "spare", state: "shut off" },
  when: "next-boot",
};

test("of several guests the one that runs is named", async () => {
  for (const refusesDefinedUses of [false, true]) {
    const { guard } = guardOver(() => [defined, running], refusesDefinedUses);
    expect(await errorOf(guard.pool(images, DAEMON_REQUESTER))).toMatch(/^55\/18 .*still in use\. .*guest 'web'/);
  }
});

test("one that is only defined forbids where that is wished, and is told otherwise", async () => {
  const { guard, warned } = guardOver(() => [defined], false);
  await guard.pool(images, DAEMON_REQUESTER);
  expect(warned).toEqual([`stop of pool '${images.name}', which a guest is defined with`]);
  const wish = { ...DAEMON_REQUESTER, refusesDefinedUses: true };
  expect(await errorOf(guard.pool(images, wish))).toMatch(/^55\/18 .*that guest 'spare' is defined with/);
});

test("a guest that has let go when it is read afresh forbids nothing", async () => {
  let looks = 0;
  const { guard } = guardOver(() => (looks++ === 0 ? [running] : []), true);
  await guard.pool(images, DAEMON_REQUESTER);
  expect(looks).toBe(2);
});

describe("whether a volume is what it looks like", () => {
  const found = { ...volume("a"), target: { ...volume("a").target, format: "qcow2" as const } };
  const imageA = new Volume({ document: found, evidence: null });
  const doubts: readonly (readonly [string, Partial<Attachment>, boolean])[] = [
    ["a guest writes to it as raw", {}, true],
    ["a guest that does not run is going to", { when: "next-boot" }, true],
    ["its guest does not say what it is", { format: null }, true],
    ["it is the data of an image", { role: "data-file", format: null }, true],
    ["something is mirrored to it as raw", { role: "mirror" }, true],
    ["its guest takes it for what it looks like", { format: "qcow2" }, false],
    ["its guest only reads it", { isReadOnly: true }, false],
    ["it is in a drive for CDs", { role: "cdrom" }, false],
    ["it is what another image is built on", { role: "backing" }, false],
    ["it is a firmware's variables", { role: "nvram", format: null }, false],
  ];
  test.for(doubts)("where %s", async ([, more, isDoubtful]) => {
    const { guard } = guardOver(() => [{ ...running, ...more }], false);
    const error = await errorOf(guard.probedFormat(images, imageA));
    if (isDoubtful)
      expect(error).toMatch(/^55\/18 .*volume 'a' begins like an image of format qcow2, but .*guest 'web'/);
    else expect(error).toBe("no error");
  });

  test("is asked of the guest itself before it is refused", async () => {
    let looks = 0;
    const { guard } = guardOver(() => [{ ...running, format: looks++ === 0 ? "raw" : "qcow2" }], false);
    await guard.probedFormat(images, imageA);
    expect(looks).toBe(2);
  });
});

import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { withNewFile } from "../../dist/drivers/shared/new-file.js";
import type { Directory, File } from "../../dist/host/index.js";
import { volume } from "./documents.js";
import { Laboratory } from "./laboratory.js";

const laboratory = new Laboratory();
afterEach(() => laboratory.close());

it("a file that was not finished is closed, and what it took is free, before anybody hears of the failure", async () => {
  const events: string[] = [];
  // Whoever was cancelled does not wait for a call that is under way; the file stays open until that is back.
  const close = async (): Promise<void> => {
    await nextTurn();
    events.push("closed");
  };
  const directory = { createUnnamed: async () => ({ close }) as unknown as File } as unknown as Directory;
  const plan = { sizeBytes: 0n, isEmpty: false };
  const made = withNewFile(directory, volume("a"), await laboratory.context(), plan, async () => {
    throw new Error("the disk is on fire");
  });
  await expect(made).rejects.toThrow("on fire");
  events.push("answered");
  expect(events.slice(0, 2)).toEqual(["closed", "answered"]);
});

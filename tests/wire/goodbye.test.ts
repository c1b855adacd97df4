import { expect, it } from "vitest";
import { PrivateDaemon } from "../robustness/private-daemon.js";
import { eventually } from "./eventually.js";

it("a client that says goodbye leaves nothing open, and nobody waits for it at the end", async () => {
  const daemon = await PrivateDaemon.start();
  try {
    const before = (await daemon.descriptors()).filter((path) => path.startsWith("socket:")).length;
    for (let count = 0; count < 5; count++) await (await daemon.connect()).close();
    await eventually(async () => {
      const now = (await daemon.descriptors()).filter((path) => path.startsWith("socket:")).length;
      expect(now).toBe(before);
    });
    const startedAt = performance.now();
    expect(await daemon.stop()).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  } finally {
    await daemon.close();
  }
});

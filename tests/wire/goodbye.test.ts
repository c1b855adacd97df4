import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { PrivateDaemon } from "../robustness/private-daemon.js";

it("a client that says goodbye leaves nothing open, and nobody waits for it at the end", async () => {
  const daemon = await PrivateDaemon.start();
  try {
    const sockets = async (): Promise<number> =>
      (await daemon.descriptors()).filter((path) => path.startsWith("socket:")).length;
    const before = await sockets();
    for (let count = 0; count < 5; count++) await (await daemon.connect()).close();
    const deadline = Date.now() + 5_000;
    while ((await sockets()) > before && Date.now() < deadline) await sleep(20);
    expect(await sockets()).toBe(before);
    const startedAt = performance.now();
    expect(await daemon.stop()).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  } finally {
    await daemon.close();
  }
});

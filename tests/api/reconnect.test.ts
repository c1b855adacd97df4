import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Connection, connect, Pool } from "@cistern/client";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sides } from "./sides.js";

describe.each(sides)("when $name dies", ({ prepare, unavailable, driver }) => {
  let root: string;
  let side: Awaited<ReturnType<typeof prepare>>;
  let connection: Connection;
  const uri = (): string => `${driver}+unix:///system?socket=${side.socket}`;

  beforeAll(async () => {
    if (unavailable !== undefined) return;
    root = await mkdtemp(join(tmpdir(), "ar-"));
    side = await prepare(root);
  });
  beforeEach(async ({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
    await side.daemon.start();
    connection = await connect(uri());
    return () => connection.close();
  });
  afterAll(async () => {
    if (unavailable !== undefined) return;
    await side.close();
    await rm(root, { recursive: true, force: true });
  });

  it("everything under way ends in one error, and nothing begins again by itself", async () => {
    const pool = await connection.definePool(
      `<pool type='dir'><name>kept</name><target><path>${join(root, "kept")}</path></target></pool>`,
    );
    await pool.start({ build: true });
    const volume = await pool.createVolume("<volume><name>v</name><capacity>1000000</capacity></volume>");
    const events = await connection.poolEvents();
    const upload = await volume.openUpload();
    const uploaded = new Promise((resolve) => upload.once("error", resolve));
    const pending = Array.from({ length: 20 }, () => pool.refresh().then(() => "done", String));

    await side.daemon.kill();
    const reason = await connection.closed;
    expect(reason).toMatchObject({ code: 39, domain: 13 });
    expect(await uploaded).toBe(reason);
    // Those that were answered in time are done; none waits for ever.
    expect(new Set(await Promise.all(pending))).toContain(String(reason));
    await expect(drain(events)).rejects.toBe(reason);
    await expect(pool.info()).rejects.toBe(reason);

    await side.daemon.start();
    await expect(connection.uri()).rejects.toBe(reason);
    const again = await connect(uri());
    expect((await new Pool(again, pool.reference).info()).state).toMatch(/^(running|inactive)$/);
    await again.close();
    await side.daemon.stop();
  });

  it("a new connection is refused until it runs again", async () => {
    await side.daemon.kill();
    await connection.closed;
    await expect(connect(uri())).rejects.toMatchObject({ code: 38 });
    await side.daemon.start();
    const again = await connect(uri());
    expect((await again.listPools()).map(({ name }) => name)).toEqual(["kept"]);
    await again.close();
    await side.daemon.stop();
  });
});

async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _event of events);
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Connection, connect, Pool, Secret, Volume } from "@cistern/client";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sides } from "./sides.js";

const NOBODY = "00000000-1111-2222-3333-444455556666";
const volumeXml = (name: string): string => `<volume><name>${name}</name><capacity>1000000</capacity></volume>`;

/** The codes that the docstrings of the client promise. */
describe.each(sides)("$name refuses as the client's docstrings say", ({ prepare, unavailable, driver }) => {
  let root: string;
  let side: Awaited<ReturnType<typeof prepare>>;
  let connection: Connection;
  let stopped: Pool;
  let transient: Pool;

  const poolXml = (name: string): string =>
    `<pool type='dir'><name>${name}</name><target><path>${join(root, name)}</path></target></pool>`;

  beforeAll(async () => {
    if (unavailable !== undefined) return;
    root = await mkdtemp(join(tmpdir(), "ae-"));
    side = await prepare(root);
    await side.daemon.start();
    connection = await connect(`${driver}+unix:///system?socket=${side.socket}`);
    stopped = await connection.definePool(poolXml("stopped"));
    transient = await connection.createPool(poolXml("transient"), { build: true });
    await transient.createVolume(volumeXml("there"));
  });
  beforeEach(({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
  });
  afterAll(async () => {
    if (unavailable !== undefined) return;
    await connection.close();
    await side.close();
    await rm(root, { recursive: true, force: true });
  });

  const pool = (): Pool => new Pool(connection, { name: "nobody", uuid: NOBODY });
  const volume = (): Volume => new Volume(connection, { pool: "transient", name: "nobody", key: "/nobody" });
  const secret = (): Secret => new Secret(connection, { uuid: NOBODY, usageType: 0, usageID: "" });

  it.each<[string, number, () => Promise<unknown>]>([
    ["Pool.start of a running one", 55, () => transient.start()],
    ["Pool.setAutostart of one without a definition", 1, () => transient.setAutostart(true)],
    ["Pool.refresh of one that does not run", 55, () => stopped.refresh()],
    ["Pool.countVolumes of one that does not run", 55, () => stopped.countVolumes()],
    ["Pool.lookupVolume of an unknown name", 50, () => transient.lookupVolume("nobody")],
    ["Pool.createVolume of a name that is taken", 90, () => transient.createVolume(volumeXml("there"))],
    ["Pool.info of an unknown one", 49, () => pool().info()],
    ["Volume.info of an unknown one", 50, () => volume().info()],
    ["Secret.value of an unknown one", 66, () => secret().value()],
    ["lookupPool", 49, () => connection.lookupPool("nobody")],
    ["lookupPoolByUuid", 49, () => connection.lookupPoolByUuid(NOBODY)],
    ["lookupPoolByTargetPath", 49, () => connection.lookupPoolByTargetPath("/nobody")],
    ["lookupVolumeByKey", 50, () => connection.lookupVolumeByKey("/nobody")],
    ["lookupVolumeByPath", 50, () => connection.lookupVolumeByPath("/nobody")],
    ["lookupSecretByUuid", 66, () => connection.lookupSecretByUuid(NOBODY)],
    ["lookupSecretByUsage", 66, () => connection.lookupSecretByUsage("ceph", "nobody")],
  ])("%s: %i", async (_what, code, call) => {
    await expect(call()).rejects.toMatchObject({ code });
  });

  it("a daemon without guests that is opened by a hypervisor's name has none to list", async () => {
    const opened = await connect(`qemu+unix:///system?socket=${side.socket}`);
    expect(await opened.listDomains()).toEqual([]);
    const events = await opened.domainEvents();
    await events.return?.();
    await opened.close();
  });

  it("a storage driver has no guests and is not asked for its host", async () => {
    const opened = await connect(`storage+unix:///system?socket=${side.socket}`);
    expect(await opened.hypervisorType()).toBe("storage");
    await expect(opened.listDomains()).rejects.toMatchObject({ code: 3 });
    await expect(opened.lookupDomain("nobody")).rejects.toMatchObject({ code: 3 });
    await expect(opened.domainEvents()).rejects.toMatchObject({ code: 3 });
    await expect(opened.hostname()).rejects.toMatchObject({ code: 3 });
    await opened.close();
  });
});

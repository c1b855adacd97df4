import type { Pool, Volume } from "@cistern/client";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { hypervisorUnavailable } from "../support/hypervisor.js";
import { fileDisk, GuestHost } from "./guest-host.js";

const unavailable = hypervisorUnavailable();

let host: GuestHost;
let images: Pool;
let disk: Volume;
beforeAll(async () => {
  if (unavailable !== undefined) return;
  host = await GuestHost.open();
  images = await host.pool("images");
  disk = await host.volume(images, "disk.img");
  await host.volume(images, "spare.img");
});
beforeEach(async ({ skip }) => {
  if (unavailable !== undefined) skip(unavailable);
  await host.define("web", fileDisk(disk.key, "sda"));
  await host.start("web");
  const users = async () => (await host.connection.uses.attachments({ volume: disk })).items.map(({ when }) => when);
  await expect.poll(users, { timeout: 10_000 }).toEqual(["both"]);
});
afterEach(async () => {
  if (unavailable === undefined) await host.undefineAll();
});
afterAll(async () => {
  if (unavailable === undefined) await host.close();
});

async function done(...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await host.cistern(...words);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

const data = async (...words: string[]): Promise<unknown> => JSON.parse(await done("--output", "json", ...words));

it("attachments and explain say who uses a volume, within 80 columns", async () => {
  const table = await done("attachments", "--domain", "web");
  expect(table.split("\n").map((line) => line.trim().split(/ {2,}/))).toContainEqual([
    ...["web", "running", "both", "sda", "write", "images/disk.img"],
  ]);
  expect(await data("attachments", "--volume", "images/disk.img")).toMatchObject({
    attachments: [
      {
        ...{ domain: { name: "web", state: "running" }, when: "both", target: "sda" },
        address: { type: "drive", controller: "0", bus: "0", target: "0", unit: "0" },
      },
    ],
    doubts: [],
    isAnybodyAsked: true,
  });
  const { uuid } = (await host.connection.uses.attachments({ domain: "web" })).items[0]?.domain ?? {};
  const both = ["--volume", "images/disk.img", "--domain", uuid?.toUpperCase() ?? ""];
  expect(await data("attachments", ...both)).toMatchObject({ attachments: [{ target: "sda" }] });
  const text = await done("explain", "images/disk.img");
  expect(text).toMatch(/^Volume images\/disk\.img is in use\.\n/);
  expect(text).toContain("It cannot be deleted now:\n  guest 'web' (running) uses it as sda\n");
  expect(await done("explain", disk.key)).toBe(text);
  expect(await done("explain", "images/spare.img")).toMatch(/^Volume images\/spare\.img is not used by anybody\.\n/);
  for (const line of `${table}${text}`.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  expect(await host.cistern("explain", "nonsense")).toMatchObject({ status: 2 });
  expect(await host.cistern("attachments", "--domain", "nobody")).toMatchObject({ status: 3 });
});

it("orphans, conflicts and domain-sources list what there is", async () => {
  expect(await data("orphans")).toMatchObject({
    verdict: "unused",
    orphans: [{ pool: "images", volume: "spare.img" }],
    sources: [{ name: host.hypervisorUri, answers: true }],
  });
  expect(await done("orphans")).toContain("that nobody uses. Asked:");
  expect(await done("conflicts")).toBe("No conflicts found.\n");
  await images.setAutostart(false);
  // Nobody has to do anything about it.
  expect(await done("conflicts")).toMatch(
    /^note: missing-at-next-boot\n {2}pool 'images' is not started with the host/,
  );
  await images.setAutostart(true);
  await host.define("db", fileDisk(disk.key, "sda"));
  const found = { status: 1, stdout: expect.stringContaining("warning: shared-writing"), stderr: "" };
  await expect.poll(() => host.cistern("conflicts"), { timeout: 10_000 }).toEqual(found);
  expect(await data("domain-sources")).toMatchObject({ sources: [{ kind: "connection", domains: 2 }] });
});

it("attach and detach change the guest, and say what they did", async () => {
  const words = ["images/spare.img", "web"];
  expect(await done("attach", ...words, "--bus", "scsi", "--live", "--config")).toBe(
    "Volume images/spare.img attached to domain web as sdb\n",
  );
  expect(await host.cistern("vol-delete", "spare.img", "images")).toMatchObject({
    status: 5,
    stderr: expect.stringMatching(/guest 'web'.*\nhint: cistern explain images\/spare\.img says who uses it/),
  });
  expect(await host.cistern("attach", ...words)).toMatchObject({
    status: 5,
    stderr: expect.stringContaining("hint: cistern explain images/spare.img says who uses it"),
  });
  expect(await done("detach", ...words, "--live", "--config")).toBe(
    "Volume images/spare.img detached from domain web\n",
  );
  expect(await host.cistern("detach", ...words)).toMatchObject({ status: 3 });
});

it("what a guest is only defined with is spared, unless the user says otherwise", async () => {
  await host.destroy("web");
  const other = await host.volume(images, "other.img");
  await host.define("db", fileDisk(other.key, "sda"));
  const users = async () => (await host.connection.uses.attachments({ volume: other })).items.length;
  await expect.poll(users, { timeout: 10_000 }).toBe(1);
  expect(await host.cistern("vol-delete", "other.img", "images")).toMatchObject({ status: 5 });
  expect(await host.cistern("pool-destroy", "images")).toMatchObject({
    status: 5,
    stderr: expect.stringContaining("hint: cistern attachments shows"),
  });
  await done("vol-delete", "other.img", "images", "--even-if-defined");
});

it("adopt proposes pools, and makes them when told to", async () => {
  const stray = await host.pool("stray");
  const lost = await host.volume(stray, "lost.img");
  await stray.stop();
  await stray.undefine();
  await host.define("db", fileDisk(lost.key, "sda"));
  const proposal = await done("adopt", host.path("stray"));
  expect(proposal).toMatch(/stray +dir +define +1 +db/);
  expect(proposal).toContain(`<path>${host.path("stray")}</path>`);
  expect(await done("adopt", "--domain", "db", "--yes")).toBe(
    "Pool stray defined, started and marked as autostarted\n",
  );
  const pool = await host.connection.lookupPool("stray");
  expect([await pool.isActive(), await pool.autostart()]).toEqual([true, true]);
  expect(await done("adopt")).toBe("Nothing to adopt: no pool is missing for what guests use.\n");
});

it("doctor says whether guests reach the volumes", async () => {
  expect(await done("doctor", "images", "--user", "root", "--group", "root")).toMatch(
    /^Pool images: all \d+ volumes are reached \(guests run as root:root\)\n/,
  );
  // Temporary directories are their owner's alone.
  const { status, stdout: text, stderr } = await host.cistern("doctor", "--user", "nobody", "--group", "nogroup");
  expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
  expect(text.replaceAll("\n ", "")).toContain(`user 'nobody' may not enter '${host.root}'`);
  expect(text).toContain(`mend: setfacl -m u:nobody:x ${host.root}`);
});

it("another daemon is told from cisternd", async () => {
  const { status, stderr } = await host.cistern("-c", host.hypervisor.socket, "attachments");
  expect([status, stderr]).toEqual([1, expect.stringContaining("not a Cistern daemon")]);
});

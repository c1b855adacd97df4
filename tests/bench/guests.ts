import { execFile } from "node:child_process";
import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type Connection, connect } from "@cistern/client";
import { rootedCisternd } from "../support/cisternd.js";
import type { DaemonProcess } from "../support/daemon-process.js";
import { guestXml, hypervisorUnavailable, prepareHypervisor } from "../support/hypervisor.js";
import type { Libvirtd } from "../support/libvirtd.js";
import { median, spread } from "./statistics.js";

/** What libvirtd has nothing beside: it is measured alone, against a time. */
export interface GuestRow {
  readonly name: string;
  title(scale: Scale): string;
  readonly targetMs: number;
}

export interface Scale {
  readonly guests: number;
  readonly volumes: number;
}

export interface GuestMeasurement {
  readonly row: GuestRow;
  readonly medianMs: number;
  readonly spread: number;
  readonly samples: readonly number[];
  readonly met: boolean;
}

const COLD: GuestRow = {
  name: "attachments-cold",
  title: ({ guests, volumes }) =>
    `what knowing who uses what adds to a start: ${guests} guests with 3 disks each, ${volumes} volumes`,
  targetMs: 5_000,
};
const EVENT: GuestRow = {
  name: "attachments-event",
  title: () => "from a guest's event until the answer has its new disk",
  targetMs: 50,
};
export const GUEST_ROWS: readonly GuestRow[] = [COLD, EVENT];

export const SCALES = { normal: { guests: 2_000, volumes: 50_000 }, quick: { guests: 200, volumes: 5_000 } } as const;
const ROUNDS = { cold: 3, event: 15 };

const DISKS = 3;
const POOLS = 5;
const AT_ONCE = 32;
const DEADLINE_MS = 120_000;
const VIRSH_MS = 30_000;
/** A look at the answer does not wait for the next one. */
const POLL_MS = 1;

/** Why guests cannot be measured here, or undefined when they can. */
export function guestsUnavailable(): string | undefined {
  return hypervisorUnavailable();
}

/** Guests that are defined at a private libvirtd, and a cisternd beside it that is told of them. */
export async function measureGuests(directory: string, scale: Scale): Promise<GuestMeasurement[]> {
  const root = await mkdtemp(join(directory, "cb-"));
  try {
    await makeVolumes(root, scale);
    await defineGuests(root, scale);
    const hypervisor = await prepareHypervisor(root);
    const cisternd = rootedCisternd(hypervisor.namespace, join(root, "c"));
    try {
      await hypervisor.daemon.start();
      await definePools(root, cisternd);
      const uri = `qemu+unix:///system?socket=${hypervisor.socket}`;
      const cold: number[] = [];
      for (let round = 0; round < ROUNDS.cold; round++) {
        await cisternd.stop();
        const withoutMs = await startMs(root, cisternd, [], (connection) => hasAllVolumes(connection, scale));
        await cisternd.stop();
        cold.push((await startMs(root, cisternd, [uri], (connection) => knowsAll(connection, scale))) - withoutMs);
      }
      return [measured(COLD, cold), measured(EVENT, await events(root, hypervisor, uri))];
    } finally {
      await cisternd.stop();
      await hypervisor.close();
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

function measured(row: GuestRow, samples: readonly number[]): GuestMeasurement {
  const medianMs = median(samples);
  return { row, medianMs, spread: spread(samples), samples, met: medianMs < row.targetMs };
}

/** From the start of the daemon until it is so far. */
async function startMs(
  root: string,
  cisternd: DaemonProcess,
  sources: readonly string[],
  isSoFar: (connection: Connection) => Promise<boolean>,
): Promise<number> {
  await writeFile(join(root, "c/etc/cisternd.toml"), `domain_sources = ${JSON.stringify(sources)}\n`);
  const startedMs = performance.now();
  await cisternd.start();
  await using connection = await connectTo(root);
  while (performance.now() - startedMs < DEADLINE_MS) {
    if (await isSoFar(connection)) return performance.now() - startedMs;
    await sleep(POLL_MS);
  }
  throw new Error(`the daemon was not ready with its guests after ${DEADLINE_MS} ms`);
}

async function hasAllVolumes(connection: Connection, { volumes }: Scale): Promise<boolean> {
  let found = 0;
  for (const pool of await connection.listPools({ active: true })) found += (await pool.listVolumes()).length;
  return found === volumes;
}

async function knowsAll(connection: Connection, { guests }: Scale): Promise<boolean> {
  const { items, doubts } = await connection.uses.attachments();
  const isAll = doubts.length === 0 && items.length === guests * DISKS;
  return isAll && items.every(({ volumes }) => volumes.length === 1);
}

/** A guest is defined anew with one more disk, another one each time. */
async function events(root: string, hypervisor: Libvirtd, uri: string): Promise<number[]> {
  const samples: number[] = [];
  await using ours = await connectTo(root);
  await using theirs = await connect(uri);
  const heard = await theirs.domainEvents({ kinds: ["lifecycle"] });
  for (let round = 0; round < ROUNDS.event; round++) {
    const name = guestName(round);
    const file = join(root, "redefined.xml");
    await writeFile(file, guest(root, round, DISKS + 1));
    const told = heard.next();
    const defined = promisify(execFile)(
      "virsh",
      ["-q", "-c", `qemu+unix:///system?socket=${hypervisor.socket}`, "define", file],
      {
        timeout: VIRSH_MS,
      },
    );
    await told;
    const startedMs = performance.now();
    await untilKnown(ours, name);
    samples.push(performance.now() - startedMs);
    await defined;
  }
  return samples;
}

async function untilKnown(connection: Connection, domain: string): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (performance.now() < endMs) {
    const { items } = await connection.uses.attachments({ domain });
    if (items.length === DISKS + 1) return;
    await sleep(POLL_MS);
  }
  throw new Error(`the event about ${domain} was not applied after ${DEADLINE_MS} ms`);
}

function connectTo(root: string): Promise<Connection> {
  return connect(`storage+unix:///system?socket=${join(root, "c/run/libvirt-sock")}`);
}

async function definePools(root: string, cisternd: DaemonProcess): Promise<void> {
  await mkdir(join(root, "c/etc"), { recursive: true });
  await cisternd.start();
  await using connection = await connectTo(root);
  for (let index = 0; index < POOLS; index++) {
    const pool = await connection.definePool(
      `<pool type='dir'><name>p${index}</name><target><path>${root}/p${index}</path></target></pool>`,
    );
    await pool.setAutostart(true);
    await pool.start();
  }
}

async function makeVolumes(root: string, { volumes }: Scale): Promise<void> {
  for (let index = 0; index < POOLS; index++) await mkdir(join(root, `p${index}`));
  let next = 0;
  const make = async (): Promise<void> => {
    while (next < volumes) {
      await using file = await open(volumePath(root, next++), "wx", 0o600);
      await file.truncate(1 << 20);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, make));
}

/** As libvirtd finds them when it starts, which is quicker than defining them one by one. */
async function defineGuests(root: string, { guests }: Scale): Promise<void> {
  await mkdir(join(root, "etc/qemu"), { recursive: true });
  for (let index = 0; index < guests; index++) {
    await writeFile(join(root, "etc/qemu", `${guestName(index)}.xml`), guest(root, index, DISKS));
  }
}

function guest(root: string, index: number, count: number): string {
  const disks = Array.from({ length: count }, (_, disk) => {
    const path = volumePath(root, index * DISKS + disk);
    return `<disk type='file'><driver name='qemu' type='raw'/><source file='${path}'/><target dev='vd${"abcd"[disk]}' bus='virtio'/></disk>`;
  });
  const uuid = `<uuid>c0ffee00-0000-4000-8000-${String(index).padStart(12, "0")}</uuid>`;
  return guestXml({ name: guestName(index), disks }).replace("</name>", `</name>${uuid}`);
}

function guestName(index: number): string {
  return `guest-${String(index).padStart(5, "0")}`;
}

function volumePath(root: string, index: number): string {
  return join(root, `p${index % POOLS}`, `disk-${index}.img`);
}

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Connection, connect, type Pool, type Volume } from "@cistern/client";
import { rootedCisternd } from "../support/cisternd.js";
import type { DaemonProcess } from "../support/daemon-process.js";
import { type GuestDisks, guestXml, prepareHypervisor } from "../support/hypervisor.js";
import type { Libvirtd } from "../support/libvirtd.js";

const DEADLINE_MS = 30_000;
const CISTERN = join(import.meta.dirname, "../../packages/cli/bin/cistern.js");

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A private libvirtd whose guests run in emulation, and a cisternd on the same host that is told of it. */
export class GuestHost {
  readonly root: string;
  readonly hypervisor: Libvirtd;
  readonly cisternd: DaemonProcess;
  connection!: Connection;
  readonly #running = new Set<string>();

  private constructor(root: string, hypervisor: Libvirtd) {
    this.root = root;
    this.hypervisor = hypervisor;
    this.cisternd = rootedCisternd(hypervisor.namespace, this.path("c"));
  }

  /** `configuration`: lines of cisternd.toml besides the source. */
  static async open(configuration = ""): Promise<GuestHost> {
    const root = await mkdtemp(join(tmpdir(), "ca-"));
    const hypervisor = await prepareHypervisor(root);
    const host = new GuestHost(root, hypervisor);
    try {
      await hypervisor.daemon.start();
      await mkdir(host.path("c/etc"), { recursive: true });
      const text = `domain_sources = ["${host.hypervisorUri}"]\n${configuration}`;
      await writeFile(host.path("c/etc/cisternd.toml"), text);
      await host.startCisternd();
      return host;
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  path(...names: string[]): string {
    return join(this.root, ...names);
  }
  get hypervisorUri(): string {
    return `qemu+unix:///system?socket=${this.hypervisor.socket}`;
  }
  get uri(): string {
    return `storage+unix:///system?socket=${this.path("c/run/libvirt-sock")}`;
  }

  async startCisternd(): Promise<void> {
    await this.cisternd.start();
    this.connection = await connect(this.uri);
  }

  /** A running directory pool over `path`, by default a new directory, that is started with the host. */
  async pool(name: string, path = this.path(name)): Promise<Pool> {
    await mkdir(path, { recursive: true });
    const pool = await this.connection.definePool(
      `<pool type='dir'><name>${name}</name><target><path>${path}</path></target></pool>`,
    );
    await pool.start();
    await pool.setAutostart(true);
    return pool;
  }

  async volume(pool: Pool, name: string, format = "raw", backing = ""): Promise<Volume> {
    return pool.createVolume(
      `<volume><name>${name}</name><capacity unit='MiB'>4</capacity><allocation>0</allocation>
       <target><format type='${format}'/></target>${backing}</volume>`,
    );
  }

  /** virsh, at the hypervisor. */
  async virsh(...args: string[]): Promise<string> {
    return (await run("virsh", ["-q", "-c", this.hypervisorUri, ...args], { timeout: DEADLINE_MS })).stdout;
  }

  /** virsh, at cisternd; whatever comes of it. */
  storageVirsh(...args: string[]): Promise<Outcome> {
    return outcome("virsh", ["-q", "-c", this.uri.replace("storage+", "qemu+"), ...args]);
  }

  cistern(...args: string[]): Promise<Outcome> {
    return outcome(process.execPath, [CISTERN, "-c", this.uri, ...args]);
  }

  /** Guests have a controller whose disks they let go of without a system in them. */
  async define(name: string, ...disks: readonly string[]): Promise<void> {
    const devices = "<controller type='scsi' index='0' model='virtio-scsi'/>";
    await this.defineGuest({ name, disks, devices });
  }

  async defineGuest(guest: GuestDisks): Promise<void> {
    const file = this.path(`${guest.name}.xml`);
    await writeFile(file, guestXml(guest));
    await this.virsh("define", file);
  }

  async start(name: string): Promise<void> {
    this.#running.add(name);
    await this.virsh("start", name);
  }

  async destroy(name: string): Promise<void> {
    this.#running.delete(name);
    await this.virsh("destroy", name);
  }

  async undefineAll(): Promise<void> {
    for (const name of this.#running) await this.destroy(name).catch(() => {});
    for (const name of (await this.virsh("list", "--all", "--name")).split("\n").filter(Boolean)) {
      await this.virsh("undefine", "--nvram", name);
    }
  }

  async close(): Promise<void> {
    await this.undefineAll().catch(() => {});
    await this.connection?.close();
    await this.cisternd.stop();
    await this.hypervisor.close();
    await rm(this.root, { recursive: true, force: true });
  }
}

const run = promisify(execFile);

/** Of a program, whatever comes of it. */
export function outcome(program: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: DEADLINE_MS, env: { ...process.env, LC_ALL: "C" } }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

export function fileDisk(path: string, target: string, { format = "raw", bus = "scsi", more = "" } = {}): string {
  return `<disk type='file' device='disk'><driver name='qemu' type='${format}'/><source file='${path}'/>
    <target dev='${target}' bus='${bus}'/>${more}</disk>`;
}

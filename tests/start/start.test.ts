import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { connect as connectClient } from "@cistern/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const project = resolve(import.meta.dirname, "../..");
const WELCOME_TIMEOUT_MS = 120_000;
const END_TIMEOUT_MS = 40_000;

interface Ended {
  readonly status: number | null;
  readonly output: string;
}

/** `npm start -- --root DIR`, as a person types it. */
class Start {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;
  #output = "";

  constructor(root: string) {
    this.#child = spawn("npm", ["start", "--silent", "--", "--root", root], {
      cwd: project,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
      });
    }
    this.#ended = once(this.#child, "close").then(([status]) => ({ status, output: this.#output }));
  }

  async until(text: string): Promise<string> {
    const deadlineMs = performance.now() + WELCOME_TIMEOUT_MS;
    while (!this.#output.includes(text)) {
      if (this.#child.exitCode !== null || performance.now() > deadlineMs) {
        throw new Error(`npm start did not say "${text}" but:\n${this.#output}`);
      }
      await new Promise((done) => setTimeout(done, 50));
    }
    return this.#output;
  }

  /** `toGroup`: as a terminal's Ctrl-C does, to npm, its shell and the script at once. */
  signal(signal: NodeJS.Signals, toGroup: boolean): void {
    const pid = this.#child.pid;
    if (pid !== undefined) process.kill(toGroup ? -pid : pid, signal);
  }

  async ended(): Promise<Ended> {
    const deadline = setTimeout(() => this.#kill(), END_TIMEOUT_MS);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(deadline);
    }
  }

  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.signal("SIGTERM", true);
    await this.ended();
  }

  #kill(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.signal("SIGKILL", true);
  }
}

describe("npm start", { timeout: WELCOME_TIMEOUT_MS + 2 * END_TIMEOUT_MS }, () => {
  let root: string;
  let started: Start[];
  const start = () => {
    const one = new Start(root);
    started.push(one);
    return one;
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "cistern-start-"));
    started = [];
  });
  afterEach(async () => {
    for (const one of started) await one.end();
    rmSync(root, { recursive: true, force: true });
  });

  it.each([
    ["SIGINT", true],
    ["SIGTERM", false],
    ["SIGTERM", true],
  ] as const)(
    "has a ready default pool, and %s (to the whole group: %s) ends it and its daemon",
    async (signal, toGroup) => {
      const first = start();
      const welcome = await first.until("Ctrl-C ends it");
      const uri = /qemu\+unix:\/\/\/system\?socket=\S+/.exec(welcome)?.[0] ?? "";
      expect(uri).toContain(join(root, "run/libvirt-sock"));
      expect(await poolsAt(uri)).toEqual([{ name: "default", active: true, autostart: true }]);

      first.signal(signal, toGroup);
      const { status, output } = await first.ended();
      expect(status).toBe(0);
      expect(output).toContain("cisternd has ended");
      expect(await answers(join(root, "run/libvirt-sock"))).toBe(false);
    },
  );

  it("keeps volumes for the next start, and a second one beside it says that it is running already", async () => {
    const first = start();
    await first.until("Ctrl-C ends it");
    const uri = `qemu+unix:///system?socket=${join(root, "run/libvirt-sock")}`;
    const second = start();
    const { status, output } = await second.ended();
    expect(status).toBe(0);
    expect(output).toContain("already running");
    expect(output).toContain(uri);

    const connection = await connectClient(uri);
    const pool = await connection.lookupPool("default");
    await pool.createVolume("<volume><name>kept.img</name><capacity>4096</capacity></volume>");
    await connection.close();
    first.signal("SIGTERM", false);
    await first.ended();
    expect(existsSync(join(root, "images/kept.img"))).toBe(true);

    const third = start();
    await third.until("Ctrl-C ends it");
    const again = await connectClient(uri);
    const volumes = await (await again.lookupPool("default")).listVolumes();
    await again.close();
    expect(volumes.map(({ name }) => name)).toEqual(["kept.img"]);
  });

  it("refuses a place whose socket path would be too long, and says what to do", async () => {
    const run = promisify(execFile)(process.execPath, ["scripts/start.mjs", "--root", join(root, "x".repeat(100))], {
      cwd: project,
      timeout: END_TIMEOUT_MS,
    });
    await expect(run).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/Linux takes 107.*--root/s) });
  });
});

async function poolsAt(uri: string) {
  const connection = await connectClient(uri);
  try {
    const pools = await connection.listPools();
    return await Promise.all(
      pools.map(async (pool) => ({
        name: pool.name,
        active: await pool.isActive(),
        autostart: await pool.autostart(),
      })),
    );
  } finally {
    await connection.close();
  }
}

function answers(socket: string): Promise<boolean> {
  return new Promise((done) => {
    const connection = connect(socket);
    connection.once("connect", () => {
      connection.destroy();
      done(true);
    });
    connection.once("error", () => done(false));
  });
}

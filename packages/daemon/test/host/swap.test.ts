import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { byEffort } from "../../../../tests/support/effort.ts";
import type { Directory } from "../../dist/host/index.js";
import { codeOf, scratchDirectory, testHosts, text, writeNew } from "./support.ts";

/**
 * Somebody may write to the directory of a pool, or above it. Whatever they put in the place of what was checked, a call on
 * the open directory stays in that directory.
 */

const root = scratchDirectory();
const hosts = testHosts();
let counter = 0;
let place: string;
let pool: Directory;

beforeEach(async () => {
  place = `${root}/${counter++}`;
  mkdirSync(`${place}/pool`, { recursive: true });
  mkdirSync(`${place}/victim`);
  writeFileSync(`${place}/victim/file`, "precious");
  writeFileSync(`${place}/pool/file`, "ours");
  pool = await hosts.local.openDirectory(`${place}/pool`);
  return () => pool.close();
});

function expectVictimUntouched(): void {
  expect(readdirSync(`${place}/victim`)).toEqual(["file"]);
  expect(readFileSync(`${place}/victim/file`, "utf8")).toBe("precious");
}

const swaps: readonly [string, () => void][] = [
  [
    "a symlink",
    () => {
      renameSync(`${place}/pool`, `${place}/moved`);
      symlinkSync("victim", `${place}/pool`);
    },
  ],
  [
    "another directory",
    () => {
      renameSync(`${place}/pool`, `${place}/moved`);
      renameSync(`${place}/victim`, `${place}/pool`);
      symlinkSync("pool", `${place}/victim`);
    },
  ],
];

describe.each(swaps)("with %s put in the place of an open directory", (_, swap) => {
  it("reading, creating, renaming and removing happen in the directory that was opened", async () => {
    swap();
    expect(text(await pool.readFile("file", 100))).toBe("ours");
    await using file = await pool.open("file", { access: "read-write" });
    await file.write(0n, Buffer.from("OURS"));
    await writeNew(pool, "created", "new");
    await pool.makeDirectory("sub", 0o755);
    await pool.symlink("link", "nowhere");
    await pool.rename("created", "renamed");
    await pool.writeFileAtomically("atomic", Buffer.from("x"), 0o600);
    expect(readdirSync(`${place}/moved`).sort()).toEqual(["atomic", "file", "link", "renamed", "sub"]);
    expect(readFileSync(`${place}/moved/file`, "utf8")).toBe("OURS");
    const { stdout } = await hosts.local.run({ program: "cat", args: [{ in: pool, name: "file" }] });
    expect(stdout).toBe("OURS");
    for (const name of ["atomic", "file", "link", "renamed"]) await pool.removeFile(name);
    await pool.removeDirectory("sub");
    const scanned: string[] = [];
    for await (const batch of pool.scan({ headBytes: 16, windows: [] })) scanned.push(...batch.map(({ name }) => name));
    expect(scanned).toEqual([]);
    expectVictimUntouched();
  });
});

describe("with a symlink put at a name", () => {
  it("nothing is created through it", async () => {
    symlinkSync("../victim/planted", `${place}/pool/new`);
    expect(await codeOf(pool.open("new", { access: "write", create: "exclusive", mode: 0o666 }))).toBe("EEXIST");
    expect(await codeOf(pool.makeDirectory("new", 0o777))).toBe("EEXIST");
    expectVictimUntouched();
  });

  it("removing it removes the symlink, replacing it replaces the symlink", async () => {
    symlinkSync("../victim/file", `${place}/pool/link`);
    symlinkSync("../victim", `${place}/pool/directory`);
    await pool.removeFile("link");
    expect(await codeOf(pool.removeDirectory("directory"))).toBe("ENOTDIR");
    await pool.writeFileAtomically("directory", Buffer.from("ours"), 0o600);
    expect(readFileSync(`${place}/pool/directory`, "utf8")).toBe("ours");
    expectVictimUntouched();
  });

  it("it is not opened where symlinks are not wanted, and never as a directory", async () => {
    symlinkSync("../victim/file", `${place}/pool/link`);
    symlinkSync("../victim", `${place}/pool/directory`);
    expect(await codeOf(pool.open("link", { access: "write", follow: false }))).toBe("ELOOP");
    expect(await codeOf(pool.openDirectory("directory"))).toBe("ENOTDIR");
  });

  it("what was opened before stays what it was", async () => {
    await using file = await pool.open("file", { access: "read-write" });
    renameSync(`${place}/pool/file`, `${place}/pool/old`);
    symlinkSync("../victim/file", `${place}/pool/file`);
    await file.truncate(0n);
    await file.write(0n, Buffer.from("mine"));
    await file.changeMode(0o600);
    expect(readFileSync(`${place}/pool/old`, "utf8")).toBe("mine");
    expectVictimUntouched();
  });
});

it("while somebody swaps without pause, no call ever leaves the directory", { timeout: 60_000 }, async () => {
  // Another process exchanges the directory with a symlink, and the name with a symlink out of it, as fast as it can.
  const script = `
    const { renameSync, symlinkSync, unlinkSync, writeFileSync } = require("node:fs");
    const quietly = (call) => { try { call(); } catch {} };
    for (;;) {
      quietly(() => renameSync("pool", "moved"));
      quietly(() => symlinkSync("victim", "pool"));
      quietly(() => symlinkSync("../victim/file", "moved/target"));
      quietly(() => unlinkSync("pool"));
      quietly(() => renameSync("moved", "pool"));
      quietly(() => unlinkSync("pool/target"));
      quietly(() => symlinkSync("../victim/planted", "pool/target"));
      quietly(() => unlinkSync("pool/target"));
    }`;
  const attacker = spawn(process.execPath, ["-e", script], { cwd: place, stdio: "ignore" });
  const rounds = byEffort({ fast: 150, normal: 600, long: 50_000 });
  const seen = new Map<string, number>();
  try {
    for (let round = 0; round < rounds; round += 1) {
      const calls = [
        pool.open("target", { access: "read-write", create: "exclusive", mode: 0o666 }).then(async (file) => {
          await file.write(0n, Buffer.from("written by us"));
          await file.close();
        }),
        pool.open("target", { access: "read-write", follow: false }).then(async (file) => {
          await file.write(0n, Buffer.from("written by us"));
          await file.close();
        }),
        pool.removeFile("target"),
        pool.writeFileAtomically("target", Buffer.from("written by us"), 0o600),
        pool.makeDirectory("target", 0o755).then(() => pool.removeDirectory("target")),
      ];
      for (const code of await Promise.all(calls.map(codeOf))) seen.set(code, (seen.get(code) ?? 0) + 1);
      if (round % 100 === 0) expectVictimUntouched();
    }
  } finally {
    attacker.kill("SIGKILL");
  }
  expectVictimUntouched();
  // The attack did hit: calls met symlinks, and calls succeeded.
  expect(seen.get("EEXIST") ?? 0).toBeGreaterThan(0);
  expect(seen.get("succeeded") ?? 0).toBeGreaterThan(0);
  console.log(`swap attempts: ${rounds * 5} calls under attack`);
});

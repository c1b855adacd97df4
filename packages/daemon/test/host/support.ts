import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll } from "vitest";
import { type Directory, type File, type Host, HostError, Hosts, type HostsOptions } from "../../dist/host/index.js";
import { firstLinkSync } from "../../dist/host/links.js";
import { RemoteHosts } from "../../dist/host/remote/remote-hosts.js";

/** A directory of the test file's own, removed after it. */
export function scratchDirectory(): string {
  const path = mkdtempSync(`${tmpdir()}/cistern-host-`);
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Hosts of the test file's own, closed after it. */
export function testHosts(options?: HostsOptions): Hosts {
  const hosts = new Hosts(options);
  afterAll(() => hosts.close());
  return hosts;
}

/** A remote home of any file system, whatever `Hosts` would choose for it; closed after the test file. */
export function remoteHost(mountPoint: string): Host {
  const temporaryDirectory = scratchDirectory();
  const remotes = new RemoteHosts({
    callMs: 10_000,
    temporaryDirectory: () => Promise.resolve(temporaryDirectory),
    firstLink: async (entries) => firstLinkSync(entries),
    environment: {},
  });
  afterAll(() => remotes.close());
  return remotes.at({ id: 0, parentId: 0, mountPoint, type: "", source: "" });
}

/** The code a call fails with; "succeeded" when it does not. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "succeeded";
  } catch (failure) {
    if (failure instanceof HostError) return failure.code;
    throw failure;
  }
}

/** The same with the step that failed: "EEXIST in link". */
export async function failureOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "succeeded";
  } catch (failure) {
    if (failure instanceof HostError) return `${failure.code} in ${failure.step}`;
    throw failure;
  }
}

export async function writeNew(directory: Directory, name: string, content: string, mode = 0o644): Promise<void> {
  await using file: File = await directory.open(name, { access: "write", create: "exclusive", mode });
  await file.write(0n, Buffer.from(content));
}

/** How often this process has the file or directory open. */
export function timesOpen(path: string): number {
  return openPaths().filter((open) => open === path).length;
}

/** How much this process has open of what lies below `path`, or is it; files without a name count. */
export function openBelow(path: string): number {
  return pathsOpenBelow(path).length;
}

/** What it has open there, each as often as it does. */
export function pathsOpenBelow(path: string): string[] {
  return openPaths().filter((open) => open === path || open.startsWith(`${path}/`));
}

function openPaths(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      // It was the listing's own.
      return [];
    }
  });
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}

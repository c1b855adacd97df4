import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runCistern } from "./cistern.js";

let directory: string;
let socketPath: string;
/** A daemon that hangs: it takes connections, and says nothing. */
let hanging: Server;
let peers: Socket[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ci-"));
  socketPath = join(directory, "sock");
  peers = [];
  hanging = createServer((socket) => void peers.push(socket.resume()));
  await new Promise<void>((resolve) => hanging.listen(socketPath, resolve));
});
afterEach(async () => {
  for (const peer of peers) peer.destroy();
  await new Promise((resolve) => hanging.close(resolve));
  await rm(directory, { recursive: true });
});

it("Ctrl-C ends a command that is still connecting", async () => {
  const controller = new AbortController();
  hanging.once("connection", () => controller.abort());
  const { status, stderr } = await runCistern(["-c", socketPath, "pool-list"], { signal: controller.signal });
  expect(status).toBe(130);
  expect(stderr).toContain("was given up by its caller");
});

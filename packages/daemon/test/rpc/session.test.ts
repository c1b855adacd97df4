import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectProcedures, encodeCall } from "@cistern/protocol";
import pino from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Jobs } from "../../dist/jobs/jobs.js";
import type { Call } from "../../dist/rpc/call.js";
import { Dispatcher } from "../../dist/rpc/dispatch.js";
import { requesterOf } from "../../dist/rpc/requester.js";
import { Session } from "../../dist/rpc/session.js";
import { Turn } from "../../dist/rpc/turn.js";

let directory: string;
let server: Server;
let client: Socket;
/** The call that is being answered: its handler waits for `answer`. */
let call: Promise<Call>;
let answer: () => void;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "cistern-session-"));
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  call = new Promise((resolve) => {
    const handlers = {
      connectOpen: async (_args: unknown, opened: Call) => {
        resolve(opened);
        await answered;
      },
    };
    const dispatcher = new Dispatcher(handlers, {} as ConstructorParameters<typeof Dispatcher>[1]);
    server = createServer((socket) => {
      new Session(socket, {
        id: 7,
        readOnly: false,
        identity: { userId: 5, groupId: 5, processId: 4711, onBehalfOf: null, elevated: false },
        dispatcher,
        jobs: new Jobs(),
        log: pino({ level: "silent" }),
        schemes: ["storage"],
        opensSession: false,
        maxRequests: 10,
        turn: new Turn(() => {}),
        streamIdleMs: 60_000,
        keepalive: { intervalMs: 0, count: 0 },
      });
    });
  });
  const path = join(directory, "socket");
  server.listen(path);
  await once(server, "listening");
  client = connect(path);
  client.on("error", () => {});
  client.write(encodeCall(connectProcedures.connectOpen, 0, { name: "storage:///system", flags: 0 }));
});
afterEach(async () => {
  client.destroy();
  server.close();
  await rm(directory, { recursive: true });
});

describe("who asked for work", () => {
  it("is known by the socket and the number in the log", async () => {
    expect(requesterOf(await call)).toMatchObject({ door: "rpc", userId: 5, processId: 4711, client: 7 });
    answer();
  });

  it("is there while the connection is, and gone when it ends, also in the middle of a call", async () => {
    const { gone } = requesterOf(await call);
    if (gone === undefined) throw new Error("nobody would be told");
    expect(gone.aborted).toBe(false);
    const noticed = new Promise<void>((resolve) => gone.addEventListener("abort", () => resolve()));
    client.destroy();
    await noticed;
    expect(gone.aborted).toBe(true);
    answer();
  });

  it("may have more work under way than an emitter has listeners by default", async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error): unknown => warnings.push(warning);
    process.on("warning", warned);
    const { gone } = requesterOf(await call);
    for (let count = 0; count < 100; count++) gone?.addEventListener("abort", () => {});
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", warned);
    expect(warnings).toEqual([]);
    answer();
  });
});

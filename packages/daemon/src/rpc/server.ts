import { createServer, type Server, type Socket } from "node:net";
import { events } from "@cistern/protocol";
import type { Identity } from "../access/caller.js";
import { peerIdentity } from "../access/peer.js";
import { limits } from "../limits.js";
import type { Logger } from "../logging/index.js";
import { POOL_LIFECYCLE_EVENTS, type PoolEvent } from "../pools/events.js";
import { SECRET_LIFECYCLE_EVENTS, type SecretEvent } from "../secrets/index.js";
import { Dispatcher } from "./dispatch.js";
import { attachmentHandlers } from "./handlers/attachments.js";
import { cisternHandlers } from "./handlers/cistern.js";
import { connectHandlers } from "./handlers/connect.js";
import { otherHandlers } from "./handlers/others.js";
import { poolHandlers } from "./handlers/pools.js";
import { secretHandlers } from "./handlers/secrets.js";
import { volumeHandlers, volumeStreamHandlers } from "./handlers/volumes.js";
import type { Services } from "./services.js";
import { Session } from "./session.js";
import { Turn } from "./turn.js";

/** What may change while the server runs (SIGHUP); new connections take it up. */
export interface ServerSettings {
  readonly schemes: readonly string[];
  readonly maxClients: number;
  readonly maxRequests: number;
  readonly keepalive: { readonly intervalMs: number; readonly count: number };
  /** A stream on which its client moves nothing for so long is given up. */
  readonly streamIdleMs: number;
}

export interface Door {
  readonly path: string;
  readonly readOnly: boolean;
  /** Gives the socket's file the owner and mode that say who may connect. */
  protect(): Promise<void>;
}

const LIFECYCLE_EVENT = 0;
const SECOND_EVENT = 1;
/** The session puts in the number of each callback. */
const ANY_CALLBACK = { callbackID: 0 };

/** libvirt's remote protocol on UNIX sockets. */
export class RpcServer {
  settings: ServerSettings;
  readonly #services: Services;
  readonly #log: Logger;
  readonly #dispatcher: Dispatcher;
  readonly #sessions = new Set<Session>();
  readonly #servers: Server[] = [];
  readonly #stopListening: (() => void)[];
  readonly #turn: Turn;
  #nextClient = 1;

  constructor(services: Services, settings: ServerSettings) {
    this.settings = settings;
    this.#services = services;
    this.#log = services.log;
    this.#turn = new Turn(() => services.eventLoop.needed());
    const handlers = {
      ...connectHandlers(services),
      ...otherHandlers(),
      ...poolHandlers(services),
      ...volumeHandlers(services),
      ...secretHandlers(services),
      ...cisternHandlers(services),
      ...attachmentHandlers(services),
    };
    this.#dispatcher = new Dispatcher(handlers, volumeStreamHandlers(services));
    this.#stopListening = [
      services.poolEvents.listen((event) => this.#emitPoolEvent(event)),
      services.secrets.listen((event) => this.#emitSecretEvent(event)),
    ];
  }

  get clientCount(): number {
    return this.#sessions.size;
  }

  /** Only the owner can connect until the socket's file is given its mode. */
  async listen(door: Door): Promise<void> {
    const server = createServer({ allowHalfOpen: false, pauseOnConnect: true }, (socket) =>
      this.#accept(socket, door.readOnly),
    );
    const umask = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ path: door.path, backlog: limits.queuedClients }, () => {
          server.off("error", reject);
          resolve();
        });
      });
    } finally {
      process.umask(umask);
    }
    server.on("error", (error) => this.#log.error({ err: error, socket: door.path }, "socket failed"));
    this.#servers.push(server);
    await door.protect();
  }

  /** No new clients; replies under way are flushed, for a while. */
  async close(): Promise<void> {
    for (const stop of this.#stopListening) stop();
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const session of this.#sessions) session.close();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limits.shutdownFlushMs);
    });
    await Promise.race([Promise.all(closed), deadline]);
    clearTimeout(timer);
    for (const session of this.#sessions) session.destroy();
  }

  #accept(socket: Socket, readOnly: boolean): void {
    if (this.#sessions.size >= this.settings.maxClients) {
      this.#log.warn({ clients: this.#sessions.size }, "too many clients: a connection is refused");
      socket.destroy();
      return;
    }
    let identity: Identity;
    try {
      identity = peerIdentity(socket);
    } catch (error) {
      this.#log.debug({ err: error }, "a client was gone before it could be identified");
      socket.destroy();
      return;
    }
    const id = this.#nextClient++;
    const session = new Session(socket, {
      id,
      readOnly,
      identity,
      dispatcher: this.#dispatcher,
      jobs: this.#services.jobs,
      log: this.#log,
      schemes: this.settings.schemes,
      opensSession: this.#services.opensSession,
      maxRequests: this.settings.maxRequests,
      turn: this.#turn,
      keepalive: this.settings.keepalive,
      streamIdleMs: this.settings.streamIdleMs,
    });
    this.#sessions.add(session);
    socket.once("close", () => this.#sessions.delete(session));
    this.#log.debug({ client: id, readOnly, uid: identity.userId, pid: identity.processId }, "client connected");
  }

  #emitPoolEvent({ kind, pool }: PoolEvent): void {
    const eventId = kind === "refresh" ? SECOND_EVENT : LIFECYCLE_EVENT;
    const event = kind === "refresh" ? -1 : POOL_LIFECYCLE_EVENTS.indexOf(kind);
    for (const session of this.#sessions) {
      const callbacks = [...session.subscriptions.matching("storage pool", eventId, pool.uuid)];
      if (kind === "refresh") session.emit(events.storagePoolEventRefresh, { ...ANY_CALLBACK, pool }, callbacks);
      else session.emit(events.storagePoolEventLifecycle, { ...ANY_CALLBACK, pool, event, detail: 0 }, callbacks);
    }
  }

  #emitSecretEvent({ kind, secret }: SecretEvent): void {
    const eventId = kind === "valueChanged" ? SECOND_EVENT : LIFECYCLE_EVENT;
    const event = kind === "valueChanged" ? -1 : SECRET_LIFECYCLE_EVENTS.indexOf(kind);
    for (const session of this.#sessions) {
      const callbacks = [...session.subscriptions.matching("secret", eventId, secret.uuid)];
      if (kind === "valueChanged") session.emit(events.secretEventValueChanged, { ...ANY_CALLBACK, secret }, callbacks);
      else session.emit(events.secretEventLifecycle, { ...ANY_CALLBACK, secret, event, detail: 0 }, callbacks);
    }
  }
}

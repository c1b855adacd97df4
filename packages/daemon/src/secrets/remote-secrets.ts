import { userInfo } from "node:os";
import { setTimeout } from "node:timers/promises";
import { SECRET_USAGE_TYPES, type SecretUsageType } from "@cistern/documents";
import {
  decodeXdr,
  events,
  type Frame,
  procedures,
  type SecretReference,
  type TypedParameter,
} from "@cistern/protocol";
import { limits } from "../limits.js";
import { DaemonConnection } from "./daemon-connection.js";
import { SECRET_LIFECYCLE_EVENTS, type SecretEventListener, SecretEvents } from "./events.js";
import type { SecretLookup, SecretProvider } from "./provider.js";
import type { SystemToken } from "./system-token.js";

const URI = "secret:///system";
/** virConnectSecretEventID: what is registered for. */
const EVENT = { lifecycle: 0, valueChanged: 1 } as const;
const FIRST_PAUSE_MS = 500;

export interface RemoteSecretsOptions {
  readonly socketPath: string;
  /** How long a call may take; default `limits.secretDaemonMs`. */
  readonly timeoutMs?: number;
  readonly token: SystemToken;
  /** Told what an administrator should know: that events are missed while the daemon is gone, and from when on not. */
  readonly report: (text: string, reason?: unknown) => void;
}

/**
 * The secrets of libvirt's own daemon (virtsecretd, or a libvirtd), which keeps them for all of its modular daemons.
 *
 * Two connections are made as they are needed: a plain one, on which clients' calls are passed on, and one that proved
 * with the system token to come from a daemon of this host. Only what may see private secrets goes over the second, so
 * that the other daemon itself decides about everything else.
 */
export class RemoteSecrets implements SecretProvider {
  readonly #options: RemoteSecretsOptions;
  readonly #events = new SecretEvents();
  readonly #plain: Reconnecting;
  readonly #elevated: Reconnecting;
  /** Aborted by `close`. */
  readonly #end = new AbortController();
  #subscription: Promise<void> | null = null;

  constructor(options: RemoteSecretsOptions) {
    this.#options = options;
    const daemon = {
      socketPath: options.socketPath,
      timeoutMs: options.timeoutMs ?? limits.secretDaemonMs,
      uri: URI,
    };
    this.#plain = new Reconnecting(() =>
      DaemonConnection.open({
        ...daemon,
        identity: null,
        onEvent: (frame) => this.#receive(frame),
      }),
    );
    this.#elevated = new Reconnecting(async () =>
      DaemonConnection.open({
        ...daemon,
        identity: identityWith(await options.token.read()),
        onEvent: () => {},
      }),
    );
  }

  async count(): Promise<number> {
    return (await (await this.#plain.get()).call(procedures.connectNumOfSecrets, undefined)).num;
  }

  async list(flags: number): Promise<readonly SecretReference[]> {
    const connection = await this.#plain.get();
    return (await connection.call(procedures.connectListAllSecrets, { need_results: 1, flags })).secrets;
  }

  async lookupByUuid(uuid: string): Promise<SecretReference> {
    return (await (await this.#plain.get()).call(procedures.secretLookupByUuid, { uuid })).secret;
  }

  async lookupByUsage(usageType: number, usageId: string): Promise<SecretReference> {
    const connection = await this.#plain.get();
    return (await connection.call(procedures.secretLookupByUsage, { usageType, usageID: usageId })).secret;
  }

  async define(xml: string, flags: number): Promise<SecretReference> {
    return (await (await this.#plain.get()).call(procedures.secretDefineXml, { xml, flags })).secret;
  }

  async xmlDescription(uuid: string, flags: number): Promise<string> {
    const connection = await this.#plain.get();
    return (await connection.call(procedures.secretGetXmlDesc, { secret: referenceTo(uuid), flags })).xml;
  }

  async setValue(uuid: string, value: Uint8Array, flags: number): Promise<void> {
    const connection = await this.#plain.get();
    await connection.call(procedures.secretSetValue, { secret: referenceTo(uuid), value, flags });
  }

  async getValue(uuid: string, flags: number, caller: { readonly elevated: boolean }): Promise<Uint8Array> {
    return readValue(await (caller.elevated ? this.#elevated : this.#plain).get(), uuid, flags);
  }

  async undefine(uuid: string): Promise<void> {
    await (await this.#plain.get()).call(procedures.secretUndefine, { secret: referenceTo(uuid) });
  }

  async passphrase(lookup: SecretLookup, usage: SecretUsageType): Promise<Uint8Array> {
    const connection = await this.#elevated.get();
    const { secret } =
      "uuid" in lookup
        ? await connection.call(procedures.secretLookupByUuid, { uuid: lookup.uuid })
        : await connection.call(procedures.secretLookupByUsage, {
            usageType: SECRET_USAGE_TYPES.indexOf(usage),
            usageID: lookup.usage,
          });
    return readValue(connection, secret.uuid, 0);
  }

  /** The first listener makes the connection that events come by; it is made again whenever it breaks. */
  listen(listener: SecretEventListener): () => void {
    this.#subscription ??= this.#stayRegistered();
    return this.#events.listen(listener);
  }

  /** Whoever keeps the secrets reads them anew itself. */
  async reload(): Promise<void> {}

  async close(): Promise<void> {
    this.#end.abort();
    await Promise.all([this.#plain.close(), this.#elevated.close()]);
    await this.#subscription;
  }

  async #stayRegistered(): Promise<void> {
    const { signal } = this.#end;
    let pauseMs = FIRST_PAUSE_MS;
    let missed = false;
    while (!signal.aborted) {
      try {
        const connection = await this.#plain.get();
        for (const eventID of [EVENT.lifecycle, EVENT.valueChanged]) {
          await connection.call(procedures.connectSecretEventRegisterAny, { eventID, secret: null });
        }
        if (missed) this.#options.report("libvirt's secret daemon is there again: its events are passed on");
        missed = false;
        pauseMs = FIRST_PAUSE_MS;
        await connection.closed;
      } catch (error) {
        if (!missed) this.#options.report("libvirt's secret daemon cannot be reached: its events are missed", error);
        missed = true;
      }
      await setTimeout(pauseMs, undefined, { ref: false, signal }).catch(() => {}); // the signal ends the loop
      pauseMs = Math.min(pauseMs * 2, limits.secretDaemonPauseMs);
    }
  }

  #receive(frame: Frame): void {
    if (frame.procedure === events.secretEventLifecycle.number) {
      const { secret, event } = decodeXdr(events.secretEventLifecycle.payload, frame.payload).value;
      const kind = SECRET_LIFECYCLE_EVENTS[event];
      if (kind !== undefined) this.#events.emit(kind, secret);
    } else if (frame.procedure === events.secretEventValueChanged.number) {
      const { secret } = decodeXdr(events.secretEventValueChanged.payload, frame.payload).value;
      this.#events.emit("valueChanged", secret);
    }
  }
}

/** A connection that is made at the first need, shared, and made again after it ended. */
class Reconnecting {
  readonly #connect: () => Promise<DaemonConnection>;
  #current: Promise<DaemonConnection> | null = null;

  constructor(connect: () => Promise<DaemonConnection>) {
    this.#connect = connect;
  }

  async get(): Promise<DaemonConnection> {
    const current = this.#current;
    if (current !== null) {
      const connection = await current;
      if (!connection.isClosed) return connection;
      if (this.#current !== current) return this.get(); // somebody else was quicker
    }
    const made = this.#connect();
    this.#current = made;
    made.catch(() => {
      if (this.#current === made) this.#current = null;
    });
    return made;
  }

  async close(): Promise<void> {
    const connection = await this.#current?.catch(() => null);
    connection?.close();
  }
}

async function readValue(connection: DaemonConnection, uuid: string, flags: number): Promise<Uint8Array> {
  const { value } = await connection.call(procedures.secretGetValue, { secret: referenceTo(uuid), flags });
  return Uint8Array.from(value); // not a window into a network buffer
}

/** Servers look at the UUID alone. */
function referenceTo(uuid: string): SecretReference {
  return { uuid, usageType: 0, usageID: "" };
}

/** What libvirt's daemons say about themselves to each other. Without a token (none was made yet) it proves nothing. */
function identityWith(token: string | null): TypedParameter[] {
  const { uid, gid, username } = userInfo();
  const parameters: TypedParameter[] = [
    { field: "user-name", value: { type: "string", value: username } },
    { field: "unix-user-id", value: { type: "ullong", value: BigInt(uid) } },
    { field: "unix-group-id", value: { type: "ullong", value: BigInt(gid) } },
    { field: "process-id", value: { type: "llong", value: BigInt(process.pid) } },
  ];
  if (token !== null) parameters.push({ field: "system.token", value: { type: "string", value: token } });
  return parameters;
}

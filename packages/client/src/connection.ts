import type { Duplex } from "node:stream";
import {
  auth,
  connect as connectProcedures,
  ErrorCode,
  ErrorDomain,
  type Frame,
  LibvirtError,
  type Procedure,
  storage,
} from "@cistern/protocol";
import { authFilePlaces, type CredentialsSource, fromAuthFile } from "./authentication/credentials.js";
import { logIn } from "./authentication/sasl.js";
import type { Caller } from "./caller.js";
import { type CallOptions, Channel } from "./channel.js";
import { EventHub, type PoolEvent, type SecretEvent } from "./events.js";
import type { Job } from "./job.js";
import { LIMITS } from "./limits.js";
import { type AutostartFailure, OwnProgram, type PoolCommitment, type VolumeInspection } from "./own-program.js";
import { Pool } from "./pool.js";
import type { StreamPort } from "./streams/stream-port.js";
import { connectSsh } from "./transports/ssh.js";
import { connectTcp } from "./transports/tcp.js";
import { connectTls } from "./transports/tls.js";
import { connectUnix } from "./transports/unix.js";
import { type Endpoint, LOCAL_LOGIN, type Login, resolveEndpoint } from "./uri.js";
import { Volume } from "./volume.js";

export interface ConnectOptions {
  /** Ask for nothing that changes anything; the server enforces it. */
  readonly readOnly?: boolean | undefined;
  /** Per step of connecting and opening. */
  readonly timeoutMs?: number | undefined;
  /** For a server that wants a login; without it, what libvirt's auth.conf has is used. */
  readonly credentials?: CredentialsSource | undefined;
  /** Ask a silent server for signs of life, and let it ask. */
  readonly keepalive?: boolean | undefined;
}

/** Which pools a listing has; all where nothing is said. Conditions of different kinds must all hold. */
export interface PoolFilter {
  readonly active?: boolean | undefined;
  readonly persistent?: boolean | undefined;
  readonly autostart?: boolean | undefined;
}

/** Ways to authenticate, by AUTH_LIST's numbers. */
const AuthType = { NONE: 0, SASL: 1, POLKIT: 2 } as const;

/** What a server is asked about with CONNECT_SUPPORTS_FEATURE. */
const Feature = { KEEPALIVE: 10, REMOTE_EVENT_CALLBACK: 14, REMOTE_CLOSE_CALLBACK: 15 } as const;

const OPEN_READ_ONLY = 1;

/** Bits of CONNECT_LIST_ALL_STORAGE_POOLS. */
const ListPools = { INACTIVE: 1, ACTIVE: 2, PERSISTENT: 4, TRANSIENT: 8, AUTOSTART: 0x10, NO_AUTOSTART: 0x20 } as const;

/**
 * Connects to a storage daemon by a URI or a socket's path (see `resolveEndpoint`), authenticates and opens.
 * Throws `LibvirtError`: 5 for a target that cannot be used, 38 when nobody listens, else what the server answers.
 */
export async function connect(target: string, options: ConnectOptions = {}): Promise<Connection> {
  const endpoint = resolveEndpoint(target, { readOnly: options.readOnly });
  const peer = endpoint.way.transport === "unix" ? endpoint.way.socketPath : target;
  const transport = await transportBy(endpoint.way, options);
  return Connection.open(transport, endpoint.openName, options, peer, endpoint.login);
}

function transportBy(way: Endpoint["way"], { timeoutMs }: ConnectOptions): Promise<Duplex> {
  const patienceMs = timeoutMs ?? LIMITS.connectTimeoutMs;
  switch (way.transport) {
    case "unix":
      return connectUnix(way.socketPath, patienceMs);
    case "ssh":
      return connectSsh(way.target, timeoutMs);
    case "tcp":
      return connectTcp(way.host, way.port, patienceMs);
    case "tls":
      return connectTls(way.target, patienceMs);
  }
}

/** An opened connection. Any number of calls may be under way at once. */
export class Connection implements Caller {
  readonly #channel: Channel;
  readonly #events: EventHub;
  readonly #own: OwnProgram;
  readonly #features = new Set<number>();
  #closing: Promise<void> | null = null;
  readonly #closed: Promise<LibvirtError>;

  private constructor(transport: Duplex, peer: string) {
    let onClosed: (error: LibvirtError) => void = () => {};
    this.#closed = new Promise((resolve) => {
      onClosed = resolve;
    });
    this.#channel = new Channel(transport, {
      onEvent: (frame: Frame) => this.#events.deliver(frame),
      onClosed: (error) => {
        this.#events.fail(error);
        onClosed(error);
      },
    });
    this.#events = new EventHub(this.#channel);
    this.#own = new OwnProgram(this, this.#events, peer);
  }

  /**
   * Authenticates and opens over a transport that is connected already; `name` is what CONNECT_OPEN names, `peer` how error
   * messages name the other end.
   */
  static async open(
    transport: Duplex,
    name: string,
    options: ConnectOptions = {},
    peer: string = name,
    login: Login = LOCAL_LOGIN,
  ): Promise<Connection> {
    const connection = new Connection(transport, peer);
    try {
      await connection.#open(name, options, login);
      return connection;
    } catch (error) {
      connection.#channel.fail(LibvirtError.from(error));
      throw error;
    }
  }

  /** Why the connection ended, once it has. Never rejects. */
  get closed(): Promise<LibvirtError> {
    return this.#closed;
  }

  /** Whether the server said that it has a feature, of those asked for when opening. */
  hasFeature(feature: number): boolean {
    return this.#features.has(feature);
  }

  /** Any procedure of the protocol: `connection.call(storage.storagePoolLookupByName, { name })`. */
  async call<Args, Result>(procedure: Procedure<Args, Result>, args: Args, options: CallOptions = {}): Promise<Result> {
    return this.#channel.call(procedure, args, options);
  }

  /** Any procedure that opens a stream; `Volume` has the comfortable forms. */
  async openStream<Args>(procedure: Procedure<Args, void>, args: Args, options: CallOptions = {}): Promise<StreamPort> {
    return this.#channel.openStream(procedure, args, options);
  }

  async uri(options?: CallOptions): Promise<string> {
    return (await this.call(connectProcedures.connectGetUri, undefined, options)).uri;
  }

  async hostname(options?: CallOptions): Promise<string> {
    return (await this.call(connectProcedures.connectGetHostname, undefined, options)).hostname;
  }

  /** The pools in order of their names. */
  async listPools(filter: PoolFilter = {}, options?: CallOptions): Promise<Pool[]> {
    const flags =
      choose(filter.active, ListPools.ACTIVE, ListPools.INACTIVE) |
      choose(filter.persistent, ListPools.PERSISTENT, ListPools.TRANSIENT) |
      choose(filter.autostart, ListPools.AUTOSTART, ListPools.NO_AUTOSTART);
    const { pools } = await this.call(storage.connectListAllStoragePools, { need_results: 1, flags }, options);
    return pools.map((reference) => new Pool(this, reference)).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async lookupPool(name: string, options?: CallOptions): Promise<Pool> {
    return new Pool(this, (await this.call(storage.storagePoolLookupByName, { name }, options)).pool);
  }

  async lookupPoolByUuid(uuid: string, options?: CallOptions): Promise<Pool> {
    return new Pool(this, (await this.call(storage.storagePoolLookupByUuid, { uuid }, options)).pool);
  }

  async lookupPoolByTargetPath(path: string, options?: CallOptions): Promise<Pool> {
    return new Pool(this, (await this.call(storage.storagePoolLookupByTargetPath, { path }, options)).pool);
  }

  /** Makes a pool known for good, or changes its definition. `validate` checks the document against the schema. */
  async definePool(xml: string, settings: { validate?: boolean } = {}, options?: CallOptions): Promise<Pool> {
    const args = { xml, flags: settings.validate === true ? 1 : 0 };
    return new Pool(this, (await this.call(storage.storagePoolDefineXml, args, options)).pool);
  }

  /** Starts a pool that is forgotten when it stops. `build` prepares its storage first. */
  async createPool(xml: string, settings: { build?: boolean } = {}, options?: CallOptions): Promise<Pool> {
    const args = { xml, flags: settings.build === true ? 1 : 0 };
    return new Pool(this, (await this.call(storage.storagePoolCreateXml, args, options)).pool);
  }

  async lookupPoolOfVolume(volume: Volume, options?: CallOptions): Promise<Pool> {
    return new Pool(
      this,
      (await this.call(storage.storagePoolLookupByVolume, { vol: volume.reference }, options)).pool,
    );
  }

  async lookupVolumeByKey(key: string, options?: CallOptions): Promise<Volume> {
    return new Volume(this, (await this.call(storage.storageVolLookupByKey, { key }, options)).vol);
  }

  async lookupVolumeByPath(path: string, options?: CallOptions): Promise<Volume> {
    return new Volume(this, (await this.call(storage.storageVolLookupByPath, { path }, options)).vol);
  }

  /** The document that says what each pool type supports. */
  async poolCapabilities(options?: CallOptions): Promise<string> {
    return (await this.call(storage.connectGetStoragePoolCapabilities, { flags: 0 }, options)).capabilities;
  }

  /** The document of sources that pools of a type could be made of. */
  async findPoolSources(type: string, sourceXml: string | null = null, options?: CallOptions): Promise<string> {
    const args = { type, srcSpec: sourceXml, flags: 0 };
    return (await this.call(storage.connectFindStoragePoolSources, args, options)).xml;
  }

  /** What happens to pools (to one pool) from now on. Subscribed when the promise resolves; leave the loop to end it. */
  async poolEvents(pool: Pool | null = null, options?: CallOptions): Promise<AsyncIterableIterator<PoolEvent>> {
    return this.#events.poolEvents(pool === null ? null : pool.reference, options);
  }

  async secretEvents(options?: CallOptions): Promise<AsyncIterableIterator<SecretEvent>> {
    return this.#events.secretEvents(options);
  }

  /**
   * The slow work that a Cistern daemon does, in the order in which it came; with `ended`, before it what has ended lately.
   * Like all calls about jobs, and the two that follow them, it throws 3 "not a Cistern daemon" at any other daemon.
   */
  async listJobs(settings: { readonly ended?: boolean | undefined } = {}, options?: CallOptions): Promise<Job[]> {
    return this.#own.listJobs(settings, options);
  }

  /** One job as it is now; 8 where there is none with this id, or it was forgotten (an hour after its end). */
  async lookupJob(id: number, options?: CallOptions): Promise<Job> {
    return this.#own.lookupJob(id, options);
  }

  /**
   * A job as it is and then at each change (progress twice a second), until it has ended; without an id all jobs, without
   * end. Subscribed when the promise resolves; leave the loop to end it.
   */
  async watchJobs(id: number | null = null, options?: CallOptions): Promise<AsyncIterableIterator<Job>> {
    return this.#own.watchJobs(id, options);
  }

  /** Asks a job to stop and to undo what it made; watch it to see when it is over. 55 where it has ended. */
  async cancelJob(id: number, options?: CallOptions): Promise<void> {
    await this.#own.cancelJob(id, options);
  }

  /** Limits what a job moves; null: not limited. 55 where it has ended. */
  async setJobBandwidth(id: number, bytesPerSecond: bigint | null, options?: CallOptions): Promise<void> {
    await this.#own.setJobBandwidth(id, bytesPerSecond, options);
  }

  /** What guests were promised of a pool, beside what it has. */
  async poolCommitment(pool: Pool, options?: CallOptions): Promise<PoolCommitment> {
    return this.#own.poolCommitment(pool.reference, options);
  }

  /** Why a pool that should have been started by itself does not run yet; null: it runs, or nobody tries to start it. */
  async autostartFailure(pool: Pool, options?: CallOptions): Promise<AutostartFailure | null> {
    return this.#own.autostartFailure(pool.reference, options);
  }

  /** What the headers of a volume's image say, and each file of its backing chain. Problems found there are no errors. */
  async inspectVolume(volume: Volume, options?: CallOptions): Promise<VolumeInspection> {
    return this.#own.inspectVolume(volume.reference, options);
  }

  /** Says goodbye and closes. What is under way is rejected. May be called more than once. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    if (this.#channel.closedBy === null) {
      const options = { timeoutMs: LIMITS.closeTimeoutMs };
      // A server that does not answer is left all the same.
      await this.call(connectProcedures.connectClose, undefined, options).catch(() => {});
    }
    this.#channel.fail(new LibvirtError(ErrorCode.RPC, ErrorDomain.REMOTE, "The connection is closed"));
  }

  async #open(name: string, options: ConnectOptions, login: Login): Promise<void> {
    const step = { timeoutMs: options.timeoutMs ?? LIMITS.connectTimeoutMs };
    await this.#authenticate(step, login, options.credentials);
    if (options.keepalive !== false && (await this.#askFeature(Feature.KEEPALIVE, step))) {
      this.#channel.startKeepalive(LIMITS.keepaliveIntervalMs, LIMITS.keepaliveCount);
    }
    const flags = options.readOnly === true ? OPEN_READ_ONLY : 0;
    await this.call(connectProcedures.connectOpen, { name, flags }, step);
    await this.#askFeature(Feature.REMOTE_EVENT_CALLBACK, step);
    await this.#askFeature(Feature.REMOTE_CLOSE_CALLBACK, step);
  }

  async #authenticate(step: CallOptions, login: Login, asked: CredentialsSource | undefined): Promise<void> {
    const { types } = await this.call(auth.authList, undefined, step);
    if (types.length === 0 || types.includes(AuthType.NONE)) return;
    if (types.includes(AuthType.POLKIT)) {
      // The user may be asked for a password meanwhile.
      await this.call(auth.authPolkit, undefined, { timeoutMs: LIMITS.polkitTimeoutMs });
      return;
    }
    const { authFile, ...about } = login;
    const credentials = asked ?? fromAuthFile(authFilePlaces(authFile));
    await logIn((procedure, args, options) => this.call(procedure, args, options), { ...about, credentials }, step);
  }

  async #askFeature(feature: number, step: CallOptions): Promise<boolean> {
    const { supported } = await this.call(connectProcedures.connectSupportsFeature, { feature }, step);
    if (supported !== 0) this.#features.add(feature);
    return supported !== 0;
  }
}

function choose(wanted: boolean | undefined, yes: number, no: number): number {
  return wanted === undefined ? 0 : wanted ? yes : no;
}

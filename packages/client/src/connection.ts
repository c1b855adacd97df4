import type { Duplex } from "node:stream";
import {
  connect as connectProcedures,
  domains,
  ErrorCode,
  ErrorDomain,
  type Frame,
  LibvirtError,
  type Procedure,
  secrets,
  storage,
} from "@cistern/protocol";
import type { Caller } from "./caller.js";
import { type CallOptions, Channel } from "./channel.js";
import { Domain } from "./domain.js";
import { type DomainEvent, type DomainEventSettings, subscribeDomainEvents } from "./domain-events.js";
import { EventHub } from "./event-hub.js";
import { type PoolEvent, type SecretEvent, subscribePoolEvents, subscribeSecretEvents } from "./events.js";
import {
  type DomainFilter,
  domainListFlags,
  type PoolFilter,
  poolListFlags,
  type SecretFilter,
  secretListFlags,
} from "./filters.js";
import { givenUp, watchSignal } from "./giving-up.js";
import type { Job } from "./job.js";
import { LIMITS } from "./limits.js";
import { type ConnectOptions, openChannel } from "./opening.js";
import { type AutostartFailure, OwnProgram, type PoolCommitment, type VolumeInspection } from "./own-program.js";
import { Pool, type StartPoolSettings, startFlags } from "./pool.js";
import { SECRET_USAGES, Secret, type SecretUsage } from "./secret.js";
import type { StreamPort } from "./streams/stream-port.js";
import { LOCAL_LOGIN, type Login } from "./uri.js";
import { Volume } from "./volume.js";
import { VolumeUses } from "./volume-uses.js";
import { numberOf } from "./wrong-arguments.js";

/**
 * An opened connection. Any number of calls may be under way at once. One that has ended stays ended: calls, streams and
 * events end in the error that `closed` gives, and whoever wants another one calls `connect` again.
 */
export class Connection implements Caller {
  readonly #channel: Channel;
  readonly #events: EventHub;
  readonly #own: OwnProgram;
  /** Which guest uses which volume: of cisternd alone. */
  readonly uses: VolumeUses;
  #features: ReadonlySet<number> = new Set();
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
    this.uses = new VolumeUses(this.#own);
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
    const stopWatching = watchSignal(options.signal, () => connection.#channel.fail(givenUp("Opening the connection")));
    // Not every wait is for the server: somebody may be thinking of a password.
    const lost = connection.#closed.then((error) => Promise.reject(error));
    try {
      connection.#features = await Promise.race([lost, openChannel(connection.#channel, name, options, login)]);
      return connection;
    } catch (error) {
      connection.#channel.fail(LibvirtError.from(error));
      throw error;
    } finally {
      stopWatching();
      lost.catch(() => {});
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

  /** As what the connection was opened: "storage:///system". */
  async uri(options?: CallOptions): Promise<string> {
    return (await this.call(connectProcedures.connectGetUri, undefined, options)).uri;
  }

  /** The server's name for its host; 3 at the storage driver, which has none. */
  async hostname(options?: CallOptions): Promise<string> {
    return (await this.call(connectProcedures.connectGetHostname, undefined, options)).hostname;
  }

  /** The driver's name, as the server spells it: "QEMU", "Xen", "storage". */
  async hypervisorType(options?: CallOptions): Promise<string> {
    return (await this.call(connectProcedures.connectGetType, undefined, options)).type;
  }

  /** The pools in order of their names. */
  async listPools(filter: PoolFilter = {}, options?: CallOptions): Promise<Pool[]> {
    const args = { need_results: 1, flags: poolListFlags(filter) };
    const { pools } = await this.call(storage.connectListAllStoragePools, args, options);
    return pools.map((reference) => new Pool(this, reference)).sort(byName);
  }

  /** How many pools run, or (`active` false) are defined and do not. */
  async countPools(active: boolean, options?: CallOptions): Promise<number> {
    const procedure = active ? storage.connectNumOfStoragePools : storage.connectNumOfDefinedStoragePools;
    return (await this.call(procedure, undefined, options)).num;
  }

  /** The pool of this name; 49 where there is none. */
  async lookupPool(name: string, options?: CallOptions): Promise<Pool> {
    return new Pool(this, (await this.call(storage.storagePoolLookupByName, { name }, options)).pool);
  }

  /** The pool of this UUID (lower case, 8-4-4-4-12); 49 where there is none. */
  async lookupPoolByUuid(uuid: string, options?: CallOptions): Promise<Pool> {
    return new Pool(this, (await this.call(storage.storagePoolLookupByUuid, { uuid }, options)).pool);
  }

  /** The running pool whose volumes lie in this directory; 49 where there is none. */
  async lookupPoolByTargetPath(path: string, options?: CallOptions): Promise<Pool> {
    return new Pool(this, (await this.call(storage.storagePoolLookupByTargetPath, { path }, options)).pool);
  }

  /** Makes a pool known for good, or changes its definition. `validate` checks the document against the schema. */
  async definePool(xml: string, settings: { validate?: boolean } = {}, options?: CallOptions): Promise<Pool> {
    const args = { xml, flags: settings.validate === true ? 1 : 0 };
    return new Pool(this, (await this.call(storage.storagePoolDefineXml, args, options)).pool);
  }

  /** Starts a pool that is forgotten when it stops. `build` as in `Pool.start`. */
  async createPool(xml: string, settings: StartPoolSettings = {}, options?: CallOptions): Promise<Pool> {
    const args = { xml, flags: startFlags(settings) };
    return new Pool(this, (await this.call(storage.storagePoolCreateXml, args, options)).pool);
  }

  /** The pool by whose name the volume goes. */
  async lookupPoolOfVolume(volume: Volume, options?: CallOptions): Promise<Pool> {
    return new Pool(
      this,
      (await this.call(storage.storagePoolLookupByVolume, { vol: volume.reference }, options)).pool,
    );
  }

  /** The volume with this key, in any running pool; 50 where there is none. */
  async lookupVolumeByKey(key: string, options?: CallOptions): Promise<Volume> {
    return new Volume(this, (await this.call(storage.storageVolLookupByKey, { key }, options)).vol);
  }

  /** The volume at this path, in any running pool; 50 where there is none. */
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

  /**
   * What happens to pools (to one pool) from now on. Subscribed when the promise resolves, and nothing is missed from then on;
   * leave the loop, or call `return()` from elsewhere, to end it. As of all events, `options` are for subscribing alone.
   */
  async poolEvents(pool: Pool | null = null, options?: CallOptions): Promise<AsyncIterableIterator<PoolEvent>> {
    return subscribePoolEvents(this.#events, pool === null ? null : pool.reference, options);
  }

  /** What happens to secrets (to one secret) from now on; as `poolEvents`. */
  async secretEvents(secret: Secret | null = null, options?: CallOptions): Promise<AsyncIterableIterator<SecretEvent>> {
    return subscribeSecretEvents(this.#events, secret === null ? null : secret.reference, options);
  }

  /** The secrets in order of their UUIDs. */
  async listSecrets(filter: SecretFilter = {}, options?: CallOptions): Promise<Secret[]> {
    const args = { need_results: 1, flags: secretListFlags(filter) };
    const found = await this.call(secrets.connectListAllSecrets, args, options);
    return found.secrets.map((reference) => new Secret(this, reference)).sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
  }

  /** The secret of this UUID (lower case, 8-4-4-4-12); 66 where there is none. */
  async lookupSecretByUuid(uuid: string, options?: CallOptions): Promise<Secret> {
    return new Secret(this, (await this.call(secrets.secretLookupByUuid, { uuid }, options)).secret);
  }

  /** The secret for this use of this name; 66 where there is none. */
  async lookupSecretByUsage(usage: SecretUsage, usageId: string, options?: CallOptions): Promise<Secret> {
    const usageType = numberOf(SECRET_USAGES, usage, secrets.secretLookupByUsage, "usage");
    const args = { usageType, usageID: usageId };
    return new Secret(this, (await this.call(secrets.secretLookupByUsage, args, options)).secret);
  }

  /** Makes a secret known, or changes its document; the value stays. `validate` checks the document against the schema. */
  async defineSecret(xml: string, settings: { validate?: boolean } = {}, options?: CallOptions): Promise<Secret> {
    const args = { xml, flags: settings.validate === true ? 1 : 0 };
    return new Secret(this, (await this.call(secrets.secretDefineXml, args, options)).secret);
  }

  /**
   * The guests in order of their names. Like all calls about guests it throws 3 where there is no hypervisor; a Cistern daemon
   * that was opened by the name of one, as virsh opens it, has none to list.
   */
  async listDomains(filter: DomainFilter = {}, options?: CallOptions): Promise<Domain[]> {
    const args = { need_results: 1, flags: domainListFlags(filter) };
    const found = await this.call(domains.connectListAllDomains, args, options);
    return found.domains.map((reference) => new Domain(this, reference)).sort(byName);
  }

  /** The guest of this name; 42 where there is none. */
  async lookupDomain(name: string, options?: CallOptions): Promise<Domain> {
    return new Domain(this, (await this.call(domains.domainLookupByName, { name }, options)).dom);
  }

  /** The guest of this UUID (lower case, 8-4-4-4-12); 42 where there is none. */
  async lookupDomainByUuid(uuid: string, options?: CallOptions): Promise<Domain> {
    return new Domain(this, (await this.call(domains.domainLookupByUuid, { uuid }, options)).dom);
  }

  /** What happens to guests and their devices from now on, all kinds in one; as `poolEvents`. */
  async domainEvents(
    settings: DomainEventSettings = {},
    options?: CallOptions,
  ): Promise<AsyncIterableIterator<DomainEvent>> {
    return subscribeDomainEvents(this.#events, this, settings, options);
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

  /** For `await using`: closes. */
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
}

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : 1;
}

import { mkdirSync } from "node:fs";
import { directoryDriver } from "../../dist/drivers/directory.js";
import type { StorageDriver } from "../../dist/drivers/driver.js";
import { ExpectedSpace } from "../../dist/drivers/expected-space.js";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import { Jobs } from "../../dist/jobs/jobs.js";
import { DocumentParser } from "../../dist/parsing/parser.js";
import { scanInto } from "../../dist/pools/activation.js";
import { Autostart, type AutostartPauses, STANDARD_PAUSES } from "../../dist/pools/autostart.js";
import { PoolCommitments } from "../../dist/pools/commitment.js";
import { PoolEvents } from "../../dist/pools/events.js";
import { Pool } from "../../dist/pools/pool.js";
import { Pools } from "../../dist/pools/pools.js";
import { PoolRegistry } from "../../dist/pools/registry.js";
import { PoolStore } from "../../dist/pools/store.js";
import { UNGUARDED } from "../../dist/pools/use-guard.js";
import { VolumeLeases } from "../../dist/pools/volume-leases.js";
import { VolumeCreation } from "../../dist/volumes/creation.js";
import { NO_DEFAULTS } from "../../dist/volumes/policy.js";
import { Transfers } from "../../dist/volumes/transfer.js";
import { Volumes } from "../../dist/volumes/volumes.js";
import type { PlacedVolume, VolumeBackends } from "../../dist/volumes/work.js";
import { pool as poolDocument } from "../drivers/documents.js";
import { Laboratory } from "../drivers/laboratory.js";

/** Pools of real directories with all that the daemon does with their volumes, but without doors. */
export class Storage {
  readonly laboratory: Laboratory;
  readonly registry = new PoolRegistry();
  readonly events = new PoolEvents();
  readonly parser = new DocumentParser();
  readonly autostart: Autostart;
  readonly pools: Pools;
  readonly volumes: Volumes;
  readonly creation: VolumeCreation;
  readonly transfers: Transfers;
  readonly backends: VolumeBackends;
  /** As the administrator set it. */
  deletesBackingStores = false;
  pauses: AutostartPauses = STANDARD_PAUSES;
  /** What the log was told: "WHAT NAME: REASON", and news. */
  readonly log: string[] = [];
  /** Ends when the daemon does. */
  readonly stoppingDaemon = new AbortController();
  /** What is done for an earlier daemon's interrupted jobs. */
  undoInterrupted: VolumeBackends["undoInterrupted"] = async () => {};
  #driver: StorageDriver = directoryDriver;

  private constructor(laboratory: Laboratory, backends: (storage: Storage) => VolumeBackends) {
    this.laboratory = laboratory;
    this.backends = backends(this);
    this.autostart = new Autostart(this.registry, this.backends, this.events, () => this.pauses);
    this.pools = new Pools(this.registry, this.backends, this.parser, this.events, this.autostart);
    this.volumes = new Volumes(this.pools, this.backends);
    this.creation = new VolumeCreation(this.pools, this.volumes, this.backends, this.parser);
    this.transfers = new Transfers(this.pools, this.volumes, this.backends);
  }

  /** `laboratory`: of an earlier daemon, whose files this one finds. */
  static async open(laboratory = new Laboratory()): Promise<Storage> {
    const { secret, privateDirectory } = await laboratory.context();
    const { host } = laboratory;
    const state = laboratory.path("state");
    mkdirSync(state, { recursive: true });
    const places = { definitions: `${state}/definitions`, autostart: `${state}/autostart`, state: `${state}/run` };
    return new Storage(laboratory, (own) => {
      return {
        store: new PoolStore(host, places, () => {}),
        jobs: new Jobs(),
        report: {
          problem: (what, name, error) =>
            own.log.push(`${what} ${name}: ${error instanceof Error ? error.message : error}`),
          news: (text) => own.log.push(text),
        },
        stopping: own.stoppingDaemon.signal,
        driverOf: () => own.#driver,
        hasDriver: () => true,
        poolSecret: (lookup) => secret(lookup),
        uses: { ...UNGUARDED },
        undoInterrupted: (pool) => own.undoInterrupted(pool),
        hostOf: async () => host,
        hostAt: async () => host,
        policy: {
          defaultsOf: () => NO_DEFAULTS,
          get deletesBackingStores() {
            return own.deletesBackingStores;
          },
          sharesBlocks: true,
        },
        leases: new VolumeLeases(),
        commitments: new PoolCommitments({ warnRatio: () => null, refuseRatio: () => null }, () => {}),
        expectedSpace: new ExpectedSpace(),
        secret,
        privateDirectory,
      };
    });
  }

  /** In place of the driver of directories, from now on. */
  set operations(operations: Partial<StorageDriver["volumes"]>) {
    this.#driver = { ...directoryDriver, volumes: { ...directoryDriver.volumes, ...operations } } as StorageDriver;
  }

  set scanning(scan: StorageDriver["scan"]) {
    this.#driver = { ...this.#driver, scan };
  }

  set measuring(measure: NonNullable<StorageDriver["measure"]>) {
    this.#driver = { ...this.#driver, measure };
  }

  set starting(start: NonNullable<StorageDriver["start"]>) {
    this.#driver = { ...this.#driver, start };
  }

  set stopping(stop: NonNullable<StorageDriver["stop"]>) {
    this.#driver = { ...this.#driver, stop };
  }

  path(...names: string[]): string {
    return this.laboratory.path(...names);
  }

  directory(name: string): string {
    mkdirSync(this.path(name), { recursive: true });
    return this.path(name);
  }

  /** An active pool, scanned. */
  async started(name: string, path = this.path(name), uuid?: string): Promise<Pool> {
    const document = poolDocument("dir", path, { name, uuid: uuid ?? crypto.randomUUID() });
    const pool = new Pool(document);
    this.registry.add(pool);
    await scanInto(pool, this.backends);
    pool.active = true;
    return pool;
  }

  scan(pool: Pool): Promise<void> {
    return scanInto(pool, this.backends);
  }

  /** `xml`: the volume's document. */
  create(pool: Pool, xml: string): Promise<PlacedVolume> {
    return this.creation.create({ name: pool.name, uuid: pool.uuid }, xml, 0, DAEMON_REQUESTER);
  }

  clone(pool: Pool, source: string, xml: string): Promise<PlacedVolume> {
    const from = { pool: pool.name, name: source };
    return this.creation.createFrom({ name: pool.name, uuid: pool.uuid }, xml, from, 0, DAEMON_REQUESTER);
  }

  remove(pool: string, name: string): Promise<void> {
    return this.volumes.remove({ pool, name }, 0, DAEMON_REQUESTER);
  }

  close(): Promise<void> {
    return this.laboratory.close();
  }
}

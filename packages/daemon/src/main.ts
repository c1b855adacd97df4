import { cpus, homedir, hostname, totalmem } from "node:os";
import { connect } from "@cistern/client";
import { POOL_TYPES, writeConnectCapabilities, writePoolCapabilities } from "@cistern/documents";
import { atMost } from "./attachments/at-most.js";
import { AttachmentChanges } from "./attachments/changes.js";
import { attachmentsOf } from "./attachments/open-attachments.js";
import { Reports } from "./attachments/reports.js";
import { UnusableSource } from "./attachments/sources/unusable-source.js";
import { compileSooner } from "./compile-sooner.js";
import {
  acquireLock,
  autostartPausesOf,
  type Configuration,
  ConfigurationError,
  clearSocketFile,
  exitStatus,
  exitStatusOf,
  findGroup,
  findPlaces,
  HELP,
  type HeldLock,
  jobSettingsOf,
  loadConfiguration,
  overcommitRatiosOf,
  type Places,
  parseCommandLine,
  prepareDirectories,
  protectSocketFile,
  reloadConfiguration,
  settings,
  socketModeOf,
  volumePolicyOf,
} from "./config/index.js";
import { ExpectedSpace } from "./drivers/expected-space.js";
import { driverOf, hasDriver, undoUnit } from "./drivers/index.js";
import { clearPrivateDirectory, type Directory, Hosts, killOrphans, lockFile, markerOf } from "./host/index.js";
import { DAEMON_REQUESTER } from "./jobs/job-facts.js";
import { Jobs } from "./jobs/jobs.js";
import { FileJournal } from "./jobs/journal.js";
import { Recovery } from "./jobs/recovery.js";
import { limits } from "./limits.js";
import { createLogger, type DaemonLogger } from "./logging/index.js";
import { EventLoopDelay } from "./monitoring/event-loop.js";
import { Metrics } from "./monitoring/metrics.js";
import { DocumentParser } from "./parsing/parser.js";
import type { PoolBackends } from "./pools/activation.js";
import { Autostart } from "./pools/autostart.js";
import { PoolCommitments } from "./pools/commitment.js";
import { Discovery } from "./pools/discovery.js";
import { PoolEvents } from "./pools/events.js";
import { lookUntilSeen } from "./pools/first-look.js";
import type { Pool } from "./pools/pool.js";
import { Pools } from "./pools/pools.js";
import { PoolRegistry } from "./pools/registry.js";
import { reloadPools, restorePools } from "./pools/startup.js";
import { PoolStore } from "./pools/store.js";
import { VolumeLeases } from "./pools/volume-leases.js";
import { RpcServer, type ServerSettings } from "./rpc/server.js";
import type { HostFacts } from "./rpc/services.js";
import { openSecrets, SystemToken } from "./secrets/index.js";
import { VERSION } from "./version.js";
import { BackingUsers } from "./volumes/backing-users.js";
import { VolumeCreation } from "./volumes/creation.js";
import { Inspection } from "./volumes/inspection.js";
import { Transfers } from "./volumes/transfer.js";
import { Volumes } from "./volumes/volumes.js";
import type { VolumeBackends } from "./volumes/work.js";

/** The only file that knows everybody: it puts the daemon together, runs it and takes it apart. */

const commandLine = readCommandLine();
if (commandLine?.action === "help") process.stdout.write(HELP);
else if (commandLine?.action === "version") process.stdout.write(`cisternd ${VERSION}\n`);
else if (commandLine !== null) await run();

function readCommandLine(): ReturnType<typeof parseCommandLine> | null {
  try {
    return parseCommandLine(process.argv.slice(2), process.cwd());
  } catch (error) {
    complain(error);
    return null;
  }
}

async function run(): Promise<void> {
  compileSooner();
  try {
    const daemon = await start();
    const stop = (signal: string): void => {
      daemon.log.logger.info({ signal }, "stopping");
      daemon
        .stop()
        .then(() => exitStatus.clean)
        .catch((error: unknown) => {
          daemon.log.logger.error({ err: error }, "stopping failed");
          return exitStatus.failure;
        })
        .then((status) => finish(daemon.log, status));
    };
    process.once("SIGTERM", () => stop("SIGTERM"));
    process.once("SIGINT", () => stop("SIGINT"));
    // A promise nobody waited for is a mistake in the program; ending for it would take every client down with it.
    process.on("unhandledRejection", (reason) =>
      daemon.log.logger.error({ err: reason }, "a failure nobody waited for"),
    );
    process.on("SIGHUP", () => void daemon.reload());
    process.on("SIGUSR2", () => void daemon.writeMetrics());
  } catch (error) {
    complain(error);
    // Something that was opened before the failure may keep the process alive.
    process.exit();
  }
}

/** A child process that hangs in the kernel must not keep the daemon from ending. */
async function finish(log: DaemonLogger, status: number): Promise<void> {
  await log.close();
  process.exit(status);
}

/** Until the log is open, and for what the person at the keyboard did wrong. */
function complain(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`cisternd: ${text}\n`);
  process.exitCode = exitStatusOf(error);
}

interface Daemon {
  readonly log: DaemonLogger;
  reload(): Promise<void>;
  /** Writes the numbers now, and begins a new measurement of the event loop's delay. */
  writeMetrics(): Promise<void>;
  /** Pools stay as they are: mounted, logged in, listed as active for the next daemon. */
  stop(): Promise<void>;
}

async function start(): Promise<Daemon> {
  const words = parseCommandLine(process.argv.slice(2), process.cwd());
  const places = findPlaces(words, {
    userId: process.getuid?.() ?? 0,
    homeDirectory: homedir(),
    environment: process.env,
  });
  const configuration = await loadConfiguration(places);
  /** As the last reload left it. */
  let current = configuration;
  const log = createLogger({
    level: words.verbose ? "debug" : configuration.logLevel,
    format: configuration.logFormat,
  });
  const { logger } = log;
  for (const warning of await prepareDirectories(places)) logger.warn(warning);
  const lock = await acquireLock(places.lockFile, "storage", places.mode, lockFile);
  const journalLock = await acquireLock(places.journalLockFile, "storage", places.mode, lockFile);
  await Promise.all([clearSocketFile(places.socketPath), clearSocketFile(places.readOnlySocketPath)]);

  const stopping = new AbortController();
  const marker = await markerOf(places.journalDirectory);
  const hosts = new Hosts({
    temporaryDirectory: places.privateDirectory,
    remoteTimeoutMs: configuration.remoteStorageTimeoutSeconds * 1000,
    marker,
  });
  const open = async (path: string): Promise<Directory> => (await hosts.forPath(path)).openDirectory(path);
  const runDirectory = await open(places.runDirectory);
  const store = new PoolStore(
    hosts.local,
    { definitions: places.poolDirectory, autostart: places.autostartDirectory, state: places.poolStateDirectory },
    (file, reason) => logger.error({ file, err: reason }, "a file of a pool was skipped"),
  );
  const systemToken = new SystemToken(hosts.local, places.systemTokenFile);
  await systemToken.ensure();
  const parser = new DocumentParser();
  const secretLock: HeldLock[] = [];
  const secrets = await openSecrets({
    host: hosts.local,
    directory: places.secretDirectory,
    daemonSocketPath: places.secretDaemonSocketPath,
    token: systemToken,
    reader: parser,
    reportSkipped: (file, reason) => logger.error({ file, err: reason }, "a file of a secret was skipped"),
    report: (text, reason) => logger.warn({ err: reason }, text),
    claimFiles: async () => {
      if (places.secretLockFile === null) return;
      secretLock.push(await acquireLock(places.secretLockFile, "secrets", places.mode, lockFile));
    },
  });
  const privateDirectory = await open(places.privateDirectory);
  // Passphrases of a daemon that was killed.
  await clearPrivateDirectory(privateDirectory);
  const journalDirectory = await open(places.journalDirectory);
  const journal = new FileJournal(journalDirectory, (text, error) => logger.warn({ err: error }, text));
  const jobs = new Jobs(journal, jobSettingsOf(configuration));
  const eventLoop = new EventLoopDelay(() => jobs.list().length > 0);
  const recovery = new Recovery(journalDirectory, {
    hostAt: (path) => hosts.forPath(path),
    undoUnit: (unit) => undoUnit(unit, hosts.local),
    endOrphans: () => killOrphans(marker),
    recall: (job) => jobs.recall(job),
    report: (text, facts) => logger.warn(facts, text),
  });
  await recovery.atStart();
  jobs.watch(({ id, title, state, way, remarks }) => {
    // Who asked by libvirt's calls is told nowhere else.
    if (state === "done" && remarks.length > 0) logger.warn({ job: id, way, remarks }, `${title}: done, but`);
    else if (state === "done" && way !== null) logger.info({ job: id, way }, `${title}: done`);
  });
  const registry = new PoolRegistry();
  const poolEvents = new PoolEvents();
  const refusesDefinedUses = (): boolean => current.domainUses === "refuse-defined";
  const guests = await attachmentsOf(configuration.domainSources, {
    pools: registry,
    poolEvents,
    hostAt: (path) => hosts.forPath(path),
    connect: (uri) => connect(uri, { readOnly: true, libvirtOnly: true, timeoutMs: limits.sourceCallMs }),
    read: (xml) => parser.domain(xml),
    memoryDirectory: await open(places.attachmentsDirectory),
    ownSockets: [places.socketPath, places.readOnlySocketPath],
    warn: (text, error) => logger.warn({ err: error }, text),
    guard: {
      refusesDefinedUses,
      warn: (text, facts) => logger.warn(facts, text),
    },
  }).catch(refuseSource);
  const backends: VolumeBackends & PoolBackends = {
    store,
    jobs,
    report: {
      problem: (what, pool, error) => logger.error({ pool, err: error }, `could not ${what} pool '${pool}'`),
      news: (text, facts) => logger.info(facts, text),
    },
    stopping: stopping.signal,
    driverOf: (pool) => driverOf(pool.type),
    hasDriver: (pool) => hasDriver(pool.type),
    hostAt: (path) => hosts.forPath(path),
    policy: volumePolicyOf(() => current),
    leases: new VolumeLeases(),
    commitments: new PoolCommitments(
      overcommitRatiosOf(() => current),
      (text, pool) => logger.warn({ pool }, text),
    ),
    expectedSpace: new ExpectedSpace(),
    // A relative target is refused by the driver, in libvirt's words.
    hostOf: (pool) =>
      pool.target.path?.startsWith("/") ? hosts.forPath(pool.target.path) : Promise.resolve(hosts.local),
    secret: (lookup) => secrets.passphrase(lookup, "volume"),
    poolSecret: (lookup, usage) => secrets.passphrase(lookup, usage),
    undoInterrupted: (pool) => recovery.at(pool),
    privateDirectory,
    uses: guests.guard,
  };
  const autostart = new Autostart(registry, backends, poolEvents, () => autostartPausesOf(current));
  const pools = new Pools(registry, backends, parser, poolEvents, autostart);
  const volumes = new Volumes(pools, backends);
  const unseen = (pool: Pool): void => {
    const refresh = () => pools.refresh(pool, 0, DAEMON_REQUESTER);
    void lookUntilSeen(pool, refresh, backends.stopping, autostartPausesOf(current));
  };
  const opening = guests.open();
  // It is waited for when the pools are there.
  opening.catch(() => {});
  const restoring = restorePools(registry, backends, autostart, unseen).catch((error: unknown) => {
    logger.error({ err: error }, "could not restore the pools");
  });
  await atMost(restoring, limits.startupPatienceMs);

  await opening.catch(refuseSource);
  const { attachments } = guests;
  const backingUsers = new BackingUsers(registry, backends);
  const backed = new Set(POOL_TYPES.filter(hasDriver));
  const server = new RpcServer(
    {
      log: logger,
      eventLoop,
      pools,
      poolEvents,
      commitments: backends.commitments,
      volumes,
      creation: new VolumeCreation(pools, volumes, backends, parser),
      transfers: new Transfers(pools, volumes, backends),
      inspection: new Inspection(pools, volumes, backends),
      reports: new Reports({ attachments, registry, backingUsers, backends, refusesDefinedUses }),
      changes: new AttachmentChanges({
        attachments,
        backingUsers,
        leases: backends.leases,
        open: (source) => connect(source, { libvirtOnly: true, timeoutMs: limits.hypervisorCallMs }),
      }),
      discovery: new Discovery(parser, hosts.local),
      jobs,
      secrets,
      host: hostFacts(),
      documents: {
        capabilities: writeConnectCapabilities(backed),
        poolCapabilities: writePoolCapabilities(backed),
      },
      isSystemToken: (token) => systemToken.matches(token),
      opensSession: places.mode === "user" || places.mode === "root-directory",
    },
    serverSettings(configuration),
  );
  const metrics = new Metrics(runDirectory, {
    eventLoop,
    clients: () => server.clientCount,
    jobs: () => jobs.list().length,
    pools: () => countPools(registry),
    volumes: () => countVolumes(registry),
  });
  await openDoors(server, places, configuration);
  metrics.start();
  logger.info(
    { socket: places.socketPath, mode: places.mode, pid: process.pid, version: VERSION },
    "cisternd is ready",
  );

  return {
    log,
    writeMetrics: async () => {
      await metrics.write().catch((error: unknown) => logger.warn({ err: error }, "could not write metrics"));
      eventLoop.reset();
    },
    reload: async () => {
      logger.info("reloading");
      try {
        const changed = reloadConfiguration(configuration, await loadConfiguration(places));
        log.setLevel(words.verbose ? "debug" : changed.configuration.logLevel);
        current = changed.configuration;
        jobs.settings = jobSettingsOf(current);
        server.settings = serverSettings(current);
        if (changed.keysForNextStart.length > 0) {
          logger.warn({ keys: changed.keysForNextStart }, "these settings take effect at the next start");
        }
      } catch (error) {
        logger.error({ err: error }, "the configuration was not reloaded");
      }
      await Promise.all([secrets.reload(), reloadPools(registry, backends, autostart)]).catch((error: unknown) => {
        logger.error({ err: error }, "reloading failed");
      });
    },
    stop: async () => {
      stopping.abort();
      await jobs.cancelAll("the daemon is stopping", limits.shutdownJobsMs);
      await server.close();
      await metrics.stop();
      await guests.close();
      await secrets.close();
      await hosts.close();
      eventLoop.stop();
      for (const held of [...secretLock, journalLock, lock]) await held.release();
      logger.info("cisternd ended");
    },
  };
}

async function openDoors(server: RpcServer, places: Places, configuration: Configuration): Promise<void> {
  const group =
    configuration.socketGroup === null ? null : await findGroup(configuration.socketGroup, settings.socketGroup.key);
  const open = (path: string, readOnly: boolean, mode: number): Promise<void> =>
    server.listen({ path, readOnly, protect: () => protectSocketFile(path, mode, group) });
  await open(places.socketPath, false, socketModeOf(configuration));
  await open(places.readOnlySocketPath, true, configuration.readOnlySocketMode);
}

/** A source that can be none is the configuration's mistake. */
function refuseSource(error: unknown): never {
  throw error instanceof UnusableSource
    ? new ConfigurationError(`domain_sources: ${error.message}`, { cause: error })
    : error;
}

function serverSettings(configuration: Configuration): ServerSettings {
  return {
    schemes: configuration.uriSchemes,
    maxClients: configuration.maxClients,
    maxRequests: configuration.maxClientRequests,
    keepalive: {
      intervalMs: configuration.keepaliveIntervalSeconds * 1000,
      count: configuration.keepaliveCount,
    },
    streamIdleMs: configuration.streamIdleSeconds * 1000,
  };
}

function hostFacts(): HostFacts {
  const processors = cpus();
  const KIB = 1024;
  return {
    name: hostname(),
    cpuModel: process.arch === "x64" ? "x86_64" : process.arch === "arm64" ? "aarch64" : process.arch,
    cpuCount: processors.length,
    cpuMhz: processors[0]?.speed ?? 0,
    memoryKiB: BigInt(Math.floor(totalmem() / KIB)),
  };
}

function countPools(registry: PoolRegistry): { active: number; inactive: number } {
  let active = 0;
  for (const pool of registry) if (pool.active) active++;
  return { active, inactive: registry.size - active };
}

function countVolumes(registry: PoolRegistry): number {
  let count = 0;
  for (const pool of registry) count += pool.volumes.size;
  return count;
}

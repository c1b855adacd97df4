/** Every limit of the daemon by name, with its reason. The wire's own limits are in @cistern/protocol. */
export const limits = {
  /** A definition on disk is at most what could have come by wire. */
  storedDocumentBytes: 4_194_304,
  /** cisternd.toml with every comment is a few KiB; a file beyond this is something else. */
  configurationBytes: 262_144,
  /** A document longer than this is parsed in a worker: parsing 64 KiB takes about 2 ms of the event loop. */
  inlineDocumentBytes: 65_536,
  /** A document that takes longer to parse is refused; 4 MiB of the worst legal kind takes under a second. */
  documentParseMs: 20_000,
  /** Long documents read at once; a worker costs about 40 MB and a CPU. */
  parseWorkers: 2,
  /** 4 MiB of XML become at most some 600 MB of tree in the worst legal case (nothing but empty elements). */
  parseWorkerMemoryMiB: 1_024,
  /** libvirt's default; a management host has hundreds of connections, not thousands. */
  clients: 5_000,
  /** Connections that wait to be accepted; beyond, the kernel refuses them. libvirt's default. */
  queuedClients: 1_000,
  /** Calls of one client under way at once; beyond, its socket is not read. libvirt has 5, few pipelining clients know. */
  requestsPerClient: 64,
  /** What packets of all clients may take of one turn of the event loop, a fifth of the longest wait that is promised. */
  turnMs: 10,
  /** Bodies of one client's calls under way: four of the longest documents. One longer packet is taken all the same. */
  requestBytesPerClient: 16_777_216,
  /** Event registrations of one client: a client needs one per pool and kind at most. */
  registrationsPerClient: 4_096,
  /** Transfers one client may have open at once. */
  streamsPerClient: 64,
  /** What libvirt's clients and daemons put in one stream packet (their legacy payload limit less the header). */
  streamPacketBytes: 262_120,
  /** Stream data a writer may lag behind its socket before the socket is not read any more. */
  streamBacklogBytes: 8_388_608,
  /** What a waiting stream packet costs besides its data: without it, a client could queue millions of empty holes. */
  streamPacketCostBytes: 512,
  /** Replies a client has not read yet; beyond, its calls are not read either. */
  replyBacklogBytes: 8_388_608,
  /** Bytes queued to a client that does not read; beyond, it is disconnected (its events cannot be held for ever). */
  clientBacklogBytes: 134_217_728,
  /** Of the reason why a call was refused, this much goes to the log: a hostile name must not fill it. */
  loggedReasonLength: 2_000,
  /** How long a change of a pool waits for the one before it. Longer than any hung storage's deadline, shorter than patience. */
  poolLockMs: 120_000,
  /** How long a stopping daemon waits for work to undo what it made. */
  shutdownJobsMs: 10_000,
  /** How long a stopping daemon waits for replies to be flushed to clients. */
  shutdownFlushMs: 2_000,
  /** How long clients wait for pools to be looked at when the daemon starts; hung storage goes on behind the open door. */
  startupPatienceMs: 5_000,
  /** How often the metrics file is written. */
  metricsIntervalMs: 10_000,
  /** A wire list holds at most this many volumes or pools (REMOTE_STORAGE_VOL_LIST_MAX, …_POOL_LIST_MAX). */
  listedObjects: 16_384,
  /** A secret's value by wire (REMOTE_SECRET_VALUE_MAX). */
  secretValueBytes: 65_536,
  /** How long a change of a secret waits for the one before it; each is a few small files. */
  secretChangeMs: 60_000,
  /** libvirt's secret daemon answers from memory; one that takes longer hangs, and pools wait for it. */
  secretDaemonMs: 15_000,
  /** The longest pause between attempts to reach a secret daemon that is gone, for its events. */
  secretDaemonPauseMs: 30_000,
} as const;

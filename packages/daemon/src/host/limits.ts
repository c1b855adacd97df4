/** Every limit of the door to storage, by name, with its reason. Durations in milliseconds unless the name says otherwise. */
export const hostLimits = {
  /** A local metadata call. Longer than any disk that still works takes, even one that retries bad sectors. */
  localCallMs: 120_000,
  /** A local call whose work grows with the data (fsync, allocation, clone): a slow disk may flush gigabytes first. */
  localSlowCallMs: 3_600_000,
  /** A call to storage that can hang. Above the pauses of a healthy NFS server, below a person's patience. */
  remoteCallMs: 30_000,
  /** How many times `remoteCallMs` a remote call may take whose work grows with the data, or a bulk call without progress. */
  remoteSlowCallFactor: 10,

  /** Mounts whose homes are remembered while nobody uses them: a few hundred bytes each. */
  remoteHomes: 64,
  /** Children for remote storage that run at one time; each costs about 60 MB. Idle ones give way first. */
  remoteChildren: 16,
  /** Children of one mount point that were killed but sit in the kernel. More would only pile up behind the same server. */
  remoteAbandonedPerMount: 4,
  /** Threads of a child's file calls: more than a few files that hang can occupy. */
  remoteThreads: 8,
  /** A child nobody uses ends after this time. */
  remoteIdleMs: 60_000,
  /** A child answers that it is ready, or has failed to start. */
  remoteStartMs: 20_000,
  /** Calls waiting in one remote home; more are refused with EAGAIN instead of filling memory. */
  remoteCallsInFlight: 4_096,
  /** How long `close` lets children end by themselves before it kills them. */
  remoteCloseMs: 1_000,

  /** Scans that run at one time, each in a thread of its own. Two keep both a big pool and the others moving. */
  scanThreads: 2,
  /** An idle scan thread ends after this time: it holds about 5 MB, and starting one costs 40 ms. */
  scanThreadIdleMs: 60_000,
  /** Entries in one batch of a scan: unpacking it takes the main thread about half a millisecond. */
  scanBatchEntries: 256,
  /** Bytes of file content in one batch of a scan; a batch is closed early when it has more. */
  scanBatchBytes: 1_048_576,
  /** Batches a scan thread may be ahead of its reader. */
  scanBatchesAhead: 4,
  /** Bytes a scan reads per file, head and windows together. */
  scanBytesPerEntry: 1_048_576,
  /** Symlinks of one scan that lead to remote storage are looked at so many at a time. */
  scanElsewhereAtOnce: 4,
  /**
   * A change this recent is not trusted as evidence: the kernel stamps files with a clock that ticks every 1 to 10 ms, so
   * that a write right after the look can leave the same ctime.
   */
  evidenceAgeNs: 20_000_000n,
  /** The same where another machine's clock stamps the files: five minutes of skew, what Kerberos tolerates. */
  remoteEvidenceAgeNs: 300_000_000_000n,

  /** Symlinks followed in one path, as the kernel has it (MAXSYMLINKS). */
  symlinksInPath: 40,

  /** Block of copies and of writing zeros: large enough for full disk speed, small enough to stop at once. */
  copyBlockBytes: 1_048_576,
  /** Finest run of zero bytes that a sparse copy leaves out: a page, the block size of common file systems. */
  sparseBlockBytes: 4_096,
  /** Space is allocated in steps of this size, so that a long allocation can be given up in between. */
  allocateStepBytes: 4_294_967_296n,

  /** Bytes kept of each of a command's stdout and stderr; the rest is read and dropped. */
  commandOutputBytes: 1_048_576,
  /** A command that neither computes nor reads nor writes for so long is taken for hung and killed. */
  commandInactivityMs: 600_000,
  /** How often a running command is looked at for that. */
  commandSampleMs: 2_000,
  /** A killed command is given this long to vanish before its caller is answered all the same. */
  commandKillMs: 2_000,
  /** After a command has ended, what it started in the background may keep its output open; that is not waited for. */
  commandLingerMs: 1_000,

  /** Bytes of /proc/self/mountinfo: about 100,000 mounts. */
  mountTableBytes: 16_777_216,

  /**
   * What was found out about a path is used again for so long: where it lies, and the directory that was opened there.
   * Calls come in bursts that this covers; a symlink put into the path is noticed within it (a mount at once).
   */
  pathMemoryMs: 250,
  /** Paths remembered at one time, a hundred bytes each: a scan asks for the home of each backing file outside its pool. */
  rememberedPaths: 4_096,
  /** Directories kept open that nobody uses: as many descriptors. */
  rememberedDirectories: 64,
} as const;

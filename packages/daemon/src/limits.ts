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
  /** Watches of jobs of one client: one for all, or one for each that it shows. Each costs a packet per change of a job. */
  jobWatchesPerClient: 64,
  /** Transfers one client may have open at once. */
  streamsPerClient: 64,
  /** What libvirt's clients and daemons put in one stream packet (their legacy payload limit less the header). */
  streamPacketBytes: 262_120,
  /** Stream data a writer may lag behind its socket before the socket is not read any more. */
  streamBacklogBytes: 8_388_608,
  /** What a waiting stream packet costs besides its data: without it, a client could queue millions of empty holes. */
  streamPacketCostBytes: 512,
  /** A stream on which its client moves no byte for so long is given up (stream_idle_seconds): it holds its volume. */
  streamIdleMs: 600_000,
  /** What an upload writes at once, and a download reads: large enough for full disk speed. */
  transferBlockBytes: 1_048_576,
  /** An upload begins with a buffer of this size, which doubles as long as it is filled: a trickle costs no megabyte. */
  firstUploadBufferBytes: 65_536,
  /** Buffers of one upload: one is written, one waits for it, one is filled meanwhile. */
  uploadBuffers: 3,
  /** Bytes that came wait so long for more to be written with; then they are visible in the file. */
  uploadGatherMs: 20,
  /** The answer to a client that wants no more events waits so long, for the client's own threads. */
  deregisteredAfterMs: 20,
  /** While a client is not read, it is looked so often whether it is still there. */
  hangUpLookMs: 1_000,
  /** Zeros of an upload are looked for in blocks of this size, the block size of common file systems. */
  zeroBlockBytes: 4_096,
  /** A shorter run of zeros between data is written with it: a hole would cost more calls than it saves blocks. */
  zeroRunBytes: 65_536,
  /** What one read of a client's socket takes at most: a little more than the kernel queues there. */
  receiveBufferBytes: 262_144,
  /** Less than this is copied out of that buffer at once, so that a short call does not occupy all of it. */
  copiedReceiveBytes: 16_384,
  /** Replies a client has not read yet; beyond, its calls are not read either. */
  replyBacklogBytes: 8_388_608,
  /** Bytes queued to a client that does not read; beyond, it is disconnected (its events cannot be held for ever). */
  clientBacklogBytes: 134_217_728,
  /** Of the reason why a call was refused, this much goes to the log: a hostile name must not fill it. */
  loggedReasonLength: 2_000,
  /** How long a change of a pool waits for the one before it. Longer than any hung storage's deadline, shorter than patience. */
  poolLockMs: 120_000,
  /** After an autostart that failed: a disk or a server that comes late is often there after a moment … */
  autostartFirstPauseMs: 2_000,
  /** … and then less and less often, but no later than somebody who waits would try by hand (autostart_retry_seconds). */
  autostartLongestPauseMs: 120_000,
  /** How long an administrator's command waits for an attempt to be undone that it interrupts; then it is told "is starting up". */
  autostartGiveUpMs: 5_000,
  /** Heavy jobs (clones, wipes, allocations) that run at one time; further ones wait. More would only share the disks. */
  jobsAtOnce: 32,
  /** The same of one pool: a pool with much to do leaves turns to the others. */
  jobsPerPool: 16,
  /** How often each job's progress is told to those who watch. */
  jobProgressIntervalMs: 500,
  /** Jobs that have ended are remembered, so many … */
  endedJobs: 512,
  /** … and so long: an hour is enough to come back and look. */
  endedJobMs: 3_600_000,
  /** Remarks of one job: each is a sentence of ours. */
  remarksPerJob: 16,
  /** One record of the journal: names of at most 4 KiB each, six bytes for each of theirs at worst. */
  journalRecordBytes: 131_072,
  /** How often a record by which a file would be cut back is touched: its time says until when its daemon was alive … */
  recordAliveMs: 1_000,
  /** … and of a file that changed so many times later, somebody else is the cause. A busy disk delays a touch or two. */
  recordAliveSlack: 5,
  /** Of storage that has not come back after a month it is not told any more that something is to be undone there: 30 days. */
  journalRecordToldMs: 2_592_000_000,
  /** Overlays named in the refusal to delete what they are built on. */
  shownChain: 16,
  /** How long a stopping daemon waits for work to undo what it made. */
  shutdownJobsMs: 10_000,
  /** How long a stopping daemon waits for replies to be flushed to clients. */
  shutdownFlushMs: 2_000,
  /** How long clients wait for pools to be looked at when the daemon starts; hung storage goes on behind the open door. */
  startupPatienceMs: 5_000,
  /** How often the metrics file is written. */
  metricsIntervalMs: 10_000,
  /** Asking for a user's or group's number: a name service (LDAP, SSSD) may be on another machine. */
  accountLookupMs: 10_000,
  /** One look at what a pool could be made of; storage that hangs is left out of the proposals. */
  adoptionLookMs: 5_000,
  /** One look at whether guests reach a file or directory. */
  reachLookMs: 5_000,
  /** Looks at volumes of one pool at once, as a person waits for them. */
  reachLooksAtOnce: 16,
  /** Log lines wait for a slow reader in this much memory; beyond, new ones are dropped. */
  unreadLogBytes: 4_194_304,
  /** How long an ending daemon waits for whoever reads its log. */
  lastLogLinesMs: 1_000,
  /** Backing files that are open at one time during a scan. */
  backingFilesAtOnce: 16,
  /** Another program writes an image's header within this time after it has made the file: a scan before that may have missed it. */
  newcomerMs: 1_000,
  /** An upload that was looked into while a writer came or went is looked into again; nobody writes that often. */
  looksAtUpload: 3,
  /** A pool whose volumes changed while it was measured is measured again; what is off then is right after the next look. */
  looksAtSizes: 3,
  /** They may lie on storage that hangs, one by one; a scan of the pool's own storage does not wait for all of them. */
  backingFilesMs: 30_000,
  /** A wire list holds at most this many volumes or pools (REMOTE_STORAGE_VOL_LIST_MAX, …_POOL_LIST_MAX). */
  listedObjects: 16_384,
  /** A secret's value by wire (REMOTE_SECRET_VALUE_MAX). */
  secretValueBytes: 65_536,
  /** How long a change of a secret waits for the one before it; each is a few small files. */
  secretChangeMs: 60_000,
  /** libvirt's secret daemon answers from memory; one that takes longer hangs, and pools wait for it. */
  secretDaemonMs: 15_000,
  /** Asking ZFS, or naming, sizing or dropping one volume: two disk flushes. On a suspended zpool it never ends. */
  zfsCommandMs: 120_000,
  /** udev looks at a volume that was written to; it is done within this time, or somebody else has it open. */
  zvolBusyMs: 5_000,
  /** Until the node of a new volume has appeared, when udev says it is done. */
  zvolDeviceMs: 10_000,
  /** How often that is looked at. */
  zvolPollMs: 100,
  /** The longest pause between attempts to reach a secret daemon that is gone, for its events. */
  secretDaemonPauseMs: 30_000,
  /** What a destructive call waits altogether for sources of guests' documents: nobody notices less, and they may hang. */
  useGuardMs: 2_000,
  /** One call to a hypervisor that a person waits for: attaching opens the disk, which may be on slow storage. */
  hypervisorCallMs: 30_000,
  /** A running guest lets go of a disk within moments, or not at all: its system does not take part, or has not booted. */
  diskReleaseMs: 10_000,
  /** Letters in one page of a list about attachments: some thousand of them, a fraction of the longest packet. */
  pageLetters: 2_000_000,
  /** A look at what a guest's document names: above the pauses of a healthy server, and no call of a client waits for it. */
  attachmentLookMs: 5_000,
  /** All headers of one chain. */
  attachmentChainMs: 10_000,
  /** Storage that did not answer is not asked again for so long: a thousand disks there must not wait for it one by one. */
  silenceMs: 30_000,
  /** Directories of local storage that do not answer: a failing disk has a few. */
  silentDirectories: 1_024,
  /** Such looks at one time … */
  attachmentLooksAtOnce: 16,
  /** … and those that take up what was found out before: what is new since then is seen this much later at the most. */
  attachmentLooksMs: 1_000,
  /** Files can be exchanged, devices renumbered without a word: all that guests use is looked at again so often. */
  attachmentSweepMs: 300_000,
  /** Who asks for what is wrong is told what was so this long ago at the most … */
  attachmentReportMs: 30_000,
  /** … and of what is missing, this long. */
  attachmentMissingMs: 250,
  /** Files of documents have no way to tell of a change: so often they are looked at. */
  sourcePollMs: 3_000,
  /** One call to a source: above the pauses of a busy hypervisor with a thousand guests. */
  sourceCallMs: 15_000,
  /** How long a starting daemon waits for the first answer of sources; one that hangs goes on behind the open door. */
  sourceFirstMs: 5_000,
  /** What sources told is kept for the next daemon, at most this long after it came. */
  sourceSaveMs: 5_000,
  /** 20,000 guests of some ten KB each. */
  sourceMemoryBytes: 268_435_456,
  /** libvirt lists no more (REMOTE_DOMAIN_LIST_MAX). */
  domainsPerSource: 16_384,
  /** A source that is gone is tried again, first after this time, then less and less often. */
  sourceFirstPauseMs: 1_000,
  sourceLongestPauseMs: 30_000,
  /** No event tells of a change of a definition alone: hypervisors are asked again so often. */
  sourceSweepMs: 60_000,
  /** Guests of a hypervisor that are read at one time. */
  domainReadsAtOnce: 8,
  /** Reasons why something may be in use that one line of the log tells. */
  loggedUnknowns: 5,
  /** A file of sysfs has a page at most. */
  sysfsBytes: 4_096,
  /** Parts of one device, and how deep devices are built on each other: more is nobody's. */
  deviceParts: 256,
  deviceDepth: 16,
} as const;

/** Every limit of the door to storage, by name, with its reason. Durations in milliseconds unless the name says otherwise. */
export const hostLimits = {
  /** Names of one directory that are kept for whoever watches it; of more he is told that he has to look. */
  newcomerNames: 10_000,
  /** A local metadata call. Longer than any disk that still works takes, even one that retries bad sectors. */
  localCallMs: 120_000,
  /** A mount: a server that does not answer is given up. mount.nfs itself would go on for two minutes. */
  mountMs: 60_000,
  /** Taking a file system away: what was written to it is flushed first, on a slow disk or network for minutes. */
  unmountMs: 300_000,
  /** A file system that is busy for so long is really in use; until then it is tried again, at this distance. */
  unmountBusyMs: 2_000,
  unmountPauseMs: 100,
  /** A look-up of a name, or a question to a server, by a small program. */
  questionMs: 20_000,
  /** Until udev has made the nodes and links of devices; a rule that hangs must not hang a pool. */
  settleMs: 30_000,
  /** Devices of one pool that are opened at one time during a scan. */
  devicesAtOnce: 8,
  /** A look at what is on a device. */
  deviceProbeMs: 60_000,
  /** A device's stable link comes a moment after its node: so often, at this distance, it is looked for again. */
  stablePathAttempts: 50,
  stablePathPauseMs: 100,
  /** A new LUN's disk comes a moment after the LUN: so often, at the same distance, it is looked for again. */
  blockDeviceAttempts: 30,
  /** LUNs of a host looked at at one time: each waits for its link and runs a program. */
  lunsAtOnce: 8,
  /** The kernel asks every target of a SCSI host for its LUNs; one that is gone costs its own time-outs (30 s a command). */
  scsiScanMs: 120_000,
  /** iscsiadm asks its daemon or the kernel; a discovery of a portal that is silent ends by itself after 30 s. */
  iscsiCallMs: 60_000,
  /** open-iscsi's defaults try a login for 135 s; records of ours are given up after 45 s. Later, iscsiadm itself hangs. */
  iscsiLoginMs: 150_000,
  /** What a login that was given up has left ends when open-iscsi gives up too, which takes it one time-out of 15 s. */
  iscsiUndoMs: 20_000,
  iscsiUndoPauseMs: 1_000,
  /** A local call whose work grows with the data (fsync, allocation, clone): a slow disk may flush gigabytes first. */
  localSlowCallMs: 3_600_000,
  /** A call to storage that can hang. Above the pauses of a healthy NFS server, below a person's patience. */
  remoteCallMs: 30_000,
  /** How many times `remoteCallMs` a remote call may take whose work grows with the data, or a bulk call without progress. */
  remoteSlowCallFactor: 10,

  /** Threads for short native calls; each costs about 5 MB once it was needed. Four keep going while one waits for a disk. */
  quickThreads: 4,
  /** The same in a child for storage that can hang: as many as its calls, since any of them may be the one that hangs. */
  remoteQuickThreads: 8,
  /** Threads for native calls that grow with the data: a few are what one disk or one memory bus can serve. */
  bulkThreads: 4,
  /** So long a native thread looks for the next call before it sleeps, where calls follow one another closely (docs/decisions/0025-awake-for-the-next-call.md). */
  nativeLookoutMs: 0.5,
  /** So long the event loop goes round without sleeping for the answer of a native thread, where calls follow one another closely. */
  loopLookoutMs: 0.3,
  /** The longest message of a native thread: the most that is read of a file's beginning, and what belongs to it. */
  nativeMessageBytes: 1_048_576 + 65_536,
  /** One step of a copy or of an overwriting: a tenth of a second of a fast disk, so that it ends soon when it is given up. */
  bulkStepBytes: 67_108_864,
  /** The kernel is asked to begin writing to the disk each time so much has come: then little is left for the flush at the end. */
  writebackBytes: 8_388_608,
  /** What a removed file holds, up to this much, is freed after the answer: it takes a tenth of a millisecond or two. */
  freedBehindBytes: 262_144,
  /** Extents looked at for shared blocks; a file in more pieces is not looked at to its end. */
  extentsLookedAt: 65_536,
  /** Holes that are remembered while they are filled, so that they can be given back: two megabytes. */
  holesRemembered: 16_384,
  /** Looking for a moment in which nobody else has a file open: a scan opens it for less than a millisecond. */
  aloneTries: 5,
  alonePauseMs: 50,

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
  /** Time that a thread without work may take to end; one that is busy is not waited for any longer. */
  threadEndMs: 2_000,
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
  /** Owners in whose names a scan reads what root may not: each costs a process of 60 MB for a while. */
  scanOwners: 4,
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
  /** Entries of a path that are looked at in one call: whether they are symlinks. */
  entriesAtOnce: 64,

  /** What failed waits so long for its last call to be back, so that its space is free when it answers. */
  freedAfterFailureMs: 2_000,

  /** Block of copies and of writing zeros: large enough for full disk speed, small enough to stop at once. */
  copyBlockBytes: 1_048_576,
  /** The first step of an allocation: on a file system that has to write zeros, what a slow disk does in the time below. */
  allocateLeastBytes: 4_194_304n,
  /** The longest step. */
  allocateMostBytes: 4_294_967_296n,
  /** Steps of an allocation become longer while they take much less, and shorter when they take more. */
  allocateStepMs: 50,

  /** Bytes kept of each of a command's stdout and stderr; the rest is read and dropped. */
  commandOutputBytes: 1_048_576,
  /** Characters of what a failed command said that its error repeats: its first and its last lines; a client prints it all. */
  failureTextLength: 4_096,
  /** A command that neither computes nor reads nor writes for so long is taken for hung and killed. */
  commandInactivityMs: 600_000,
  /** How often a running command is looked at for that. */
  commandSampleMs: 2_000,
  /** A killed command is given this long to vanish before its caller is answered all the same. */
  commandKillMs: 2_000,
  /** After a command has ended, what it started in the background may keep its output open; that is not waited for. */
  commandLingerMs: 1_000,

  /** Looking at the environment of one process, when orphans are sought: a few microseconds, unless it hangs in the kernel. */
  orphanLookMs: 2_000,
  /** A killed orphan vanishes within milliseconds, or sits in the kernel for longer than anybody waits. */
  orphanKillMs: 5_000,
  /** How often that is looked at. */
  orphanSampleMs: 10,
  /** Of an orphan's command line, this much is told. */
  orphanLineLength: 200,

  /** Bytes of /proc/self/mountinfo: about 100,000 mounts. */
  mountTableBytes: 16_777_216,
  /** A kernel that should fail to tell of changes to its mount table is not trusted for longer. */
  mountTableTrustMs: 10_000,

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

/**
 * Every limit of looking into images, by name, with its reason. An image may have been written by a guest: nothing that it
 * says decides how much is read.
 */
export const imageLimits = {
  /** From the start of a qcow2 image: its header and extensions, which qemu writes into less than 1 KiB. */
  headerBytes: 65_536,
  /** The longest backing file name that qemu takes. */
  backingNameBytes: 1_023,
  /** The longest path that the kernel takes. */
  dataFileNameBytes: 4_095,
  /** A format's or driver's name; qemu's longest has 20. */
  formatNameBytes: 64,
  /** Header extensions gone through; qemu writes five kinds, each once. */
  headerExtensions: 64,
  /** Three sets of 64 feature bits: no more can have a name. */
  featureNames: 192,
  /** Snapshots and bitmaps shown, of each; images with more than a few dozen are rare, and a reply must stay small. */
  listed: 256,
  /** A snapshot's id and name; qemu's own limits are 128 and 256 characters. */
  snapshotTextBytes: 1_023,
  /** What a snapshot may say besides; qemu's own limit. */
  snapshotExtraBytes: 1_024,
  /** A bitmap's name: qemu's own limit. */
  bitmapNameBytes: 1_023,
  /** One piece of a table of snapshots or bitmaps: some hundred entries at once. */
  tablePieceBytes: 65_536,
  /** A vmdk descriptor: a few hundred bytes in one file, some KiB with many extents. */
  descriptorBytes: 65_536,
  /** Extents of a vmdk that are named: 64 times 2 GiB, split as VMware does it. */
  extents: 64,
  /** Bytes read of one image altogether: the header and tables of as many snapshots and bitmaps as are shown. */
  imageBytes: 2_097_152,
  /** Reads of one image altogether: its tables in pieces, twice over. */
  imageReads: 256,
  /** Sentences about what is wrong with one image. */
  problems: 16,
  /** Links of a chain. qemu's own commands take no longer ones; honest chains have a few dozen at most. */
  chainLinks: 200,
  /** Data files of a chain: one for each qcow2 image, or the extents of a few vmdk disks. */
  chainDataFiles: 256,
  /** Directories above a file that are looked at to see whether one is a pool's; deeper trees are none that people make. */
  directoriesAbove: 64,
  /** All links of a chain together: disks that are asleep wake up within it, hung storage does not hold the caller longer. */
  chainMs: 30_000,
} as const;

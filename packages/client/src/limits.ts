/** Every limit of the client, by name, with its reason. */
export const LIMITS = {
  /** Connecting and each step of opening: local daemons answer in milliseconds. */
  connectTimeoutMs: 10_000,
  /** A person types a password. */
  polkitTimeoutMs: 5 * 60 * 1000,
  /** Until ssh has reached the other side and found a socket there, where nobody can be asked for a password. */
  sshTimeoutMs: 60_000,
  /** The end of what ssh said, for the error. */
  sshMessageCharacters: 4_096,
  /** Rounds by which a server may have a password's key derived: some hundred thousand are common, more would only keep us busy. */
  scramIterations: 10_000_000,
  /** Calls that never wait for storage ("priority" in the protocol's tables). */
  quickCallTimeoutMs: 30_000,
  /** Calls that work on storage: allocating, cloning and wiping a large volume takes hours. Keepalive notices a dead server. */
  slowCallTimeoutMs: 24 * 60 * 60 * 1000,
  /** Node's timers take no more, and would go off at once: whoever asks for longer, or without end, gets 24 days. */
  longestTimeoutMs: 2 ** 31 - 1,
  /** Saying goodbye: whoever closes does not want to wait. */
  closeTimeoutMs: 3_000,
  /** A stream on which neither side moved anything. */
  streamIdleTimeoutMs: 10 * 60 * 1000,
  /** Silence after which the server is asked for a sign of life, and how often it is asked: virsh's numbers. */
  keepaliveIntervalMs: 5_000,
  keepaliveCount: 6,
  /** Calls without a reply yet, on one connection. More is a caller that does not wait. */
  pendingCalls: 16_384,
  /** Downloaded bytes that wait for their reader; then the connection is not read from until some are taken. */
  downloadBufferBytes: 8 * 1024 * 1024,
  /** The same for sparse downloads, in packets (of at most 256 KiB each). */
  downloadBufferPackets: 32,
  /** Chunks that wait to be uploaded before the writer is told to wait. */
  uploadBufferChunks: 16,
  /** Bytes of an upload that are handed to the connection together. */
  uploadBatchBytes: 1024 * 1024,
  /** Pieces of memory in one packet, and about in one batch: the kernel takes 1,024 in one call. */
  uploadBatchPieces: 256,
  /** Events that wait for their reader. A reader this far behind gets an error instead of a gap. */
  queuedEvents: 10_000,
} as const;

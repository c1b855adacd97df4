import { ErrorCode, type LibvirtError } from "@cistern/protocol";
import type { Subject } from "./failure.js";
import { commandOn, shellQuoted } from "./output/names.js";

interface Hint {
  readonly code: number;
  /** On what the error says; its group is handed on. */
  readonly pattern: RegExp;
  /** Of what the error names, and of what the command was about. */
  text(named: string, subject: Partial<Subject>): string;
}

/** What helps against errors that people meet, by their code and libvirt's words. */
const HINTS: readonly Hint[] = [
  {
    code: ErrorCode.OPERATION_INVALID,
    pattern: /storage pool '(.*)' is not active/s,
    text: (pool) => commandOn("pool-start", pool),
  },
  {
    code: ErrorCode.OPERATION_INVALID,
    pattern: /storage pool '(.*)' is still active/s,
    text: (pool) => `${commandOn("pool-destroy", pool)} stops it; its storage stays as it is`,
  },
  {
    code: ErrorCode.OPERATION_INVALID,
    pattern: /volume '(.*)' is still in use/s,
    text: (_volume, { pool, volume }) => {
      const place = pool === undefined || typeof volume !== "string" ? "POOL/VOL" : shellQuoted(`${pool}/${volume}`);
      return `cistern explain ${place} says who uses it, cistern jobs what is under way`;
    },
  },
  {
    code: ErrorCode.OPERATION_INVALID,
    pattern: /pool '(.*)' is still in use/s,
    text: () => "cistern attachments shows which guest uses what",
  },
  {
    code: ErrorCode.INTERNAL_ERROR,
    pattern: /pool '(.*)' has asynchronous jobs running/s,
    text: () => "cistern jobs shows them, cistern job-cancel JOB stops one",
  },
  {
    code: ErrorCode.STORAGE_VOL_EXIST,
    pattern: /'(.*)' exists already/s,
    text: (volume, { pool = "POOL" }) => `${commandOn("vol-delete", pool, volume)} removes it, with all that is in it`,
  },
  {
    code: ErrorCode.NO_STORAGE_VOL,
    pattern: /no storage vol with matching path '(.*)'/s,
    // Of a volume that is yet to be made the pool is known, but what is missing may lie in another.
    text: (_path, { pool, volume }) => {
      const place = pool === undefined || typeof volume !== "string" ? "POOL" : pool;
      return `${commandOn("pool-refresh", place)} looks again at what is there`;
    },
  },
  {
    code: ErrorCode.SYSTEM_ERROR,
    pattern: /cannot open directory '(.*)': No such file/s,
    text: (_directory, { pool = "POOL" }) => `${commandOn("pool-build", pool)} makes the directory`,
  },
  {
    code: ErrorCode.SYSTEM_ERROR,
    pattern: /connect.*(?:Connection refused|ECONNREFUSED|No such file|ENOENT)/s,
    text: () => "is cisternd running? systemctl start cisternd, or npm start for one to try",
  },
  {
    code: ErrorCode.SYSTEM_ERROR,
    pattern: /connect.*(?:Permission denied|EACCES)/s,
    text: () => "the socket is not for this user: try as root, or as a member of the socket's group",
  },
  {
    code: ErrorCode.NO_CONNECT,
    pattern: /No daemon is listening/,
    text: () => "systemctl start cisternd starts it; -c URI or --root DIR name another daemon",
  },
  {
    code: ErrorCode.AUTH_UNAVAILABLE,
    pattern: /./,
    text: () => "try as root, or as a user whom polkit lets manage storage",
  },
];

/** `subject`: what the command was about, where that is known. null: none is known. */
export function hintFor({ code, message }: LibvirtError, subject: Subject | null = null): string | null {
  for (const hint of HINTS) {
    const match = hint.code === code ? hint.pattern.exec(message) : null;
    if (match !== null) return hint.text(match[1] ?? "", subject ?? {});
  }
  return null;
}

import { ErrorCode, type LibvirtError } from "@cistern/protocol";
import { shellQuoted } from "./output/names.js";

interface Hint {
  readonly code: number;
  /** On what the error says; its groups are handed on. */
  readonly pattern: RegExp;
  text(first: string, second: string): string;
}

/** What helps against errors that people meet, by their code and libvirt's words. */
const HINTS: readonly Hint[] = [
  {
    code: ErrorCode.OPERATION_INVALID,
    pattern: /storage pool '(.*)' is not active/s,
    text: (pool) => `cistern pool-start ${shellQuoted(pool)}`,
  },
  {
    code: ErrorCode.OPERATION_INVALID,
    pattern: /storage pool '(.*)' is still active/s,
    text: (pool) => `cistern pool-destroy ${shellQuoted(pool)} stops it; its storage stays as it is`,
  },
  {
    code: ErrorCode.OPERATION_INVALID,
    pattern: /volume '(.*)' is still in use/s,
    text: () => "cistern explain POOL/VOL says who uses it, cistern jobs what is under way",
  },
  {
    code: ErrorCode.STORAGE_VOL_EXIST,
    pattern: /'(.*)' exists already/s,
    text: (volume) => `cistern vol-delete ${shellQuoted(volume)} --pool POOL removes it, with all that is in it`,
  },
  {
    code: ErrorCode.SYSTEM_ERROR,
    pattern: /cannot open directory '(.*)': No such file/s,
    text: () => "cistern pool-build POOL makes the directory",
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

/** null: none is known. */
export function hintFor({ code, message }: LibvirtError): string | null {
  for (const hint of HINTS) {
    const match = hint.code === code ? hint.pattern.exec(message) : null;
    if (match !== null) return hint.text(match[1] ?? "", match[2] ?? "");
  }
  return null;
}

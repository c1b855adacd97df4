import { encodeUtf8 } from "@cistern/protocol";

/** The order of virsh's listings: by bytes, capital and small letters of ASCII alike. */
export function compareNames(a: string, b: string): number {
  return Buffer.compare(foldedBytes(a), foldedBytes(b));
}

/** A name as a word for a POSIX shell. */
export function shellQuoted(name: string): string {
  return /^[\w./:@%+=,-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}

/** "cistern pool-start images", "cistern vol-info disk.qcow2 --pool images": for a shell, also where names look like options. */
export function commandOn(command: string, pool: string, volume: string | null = null): string {
  const option = (name: string, value: string): string =>
    value.startsWith("-") ? `--${name}=${shellQuoted(value)}` : `--${name} ${shellQuoted(value)}`;
  const alone = (name: string, value: string): string =>
    value.startsWith("-") ? option(name, value) : shellQuoted(value);
  const words = volume === null ? [alone("pool", pool)] : [alone("vol", volume), option("pool", pool)];
  return ["cistern", command, ...words].join(" ");
}

/** The candidate that differs least from what was typed, if it is near enough to be meant. */
export function nearestName(typed: string, candidates: readonly string[]): string | null {
  const allowed = Math.max(1, Math.floor(typed.length / 3));
  let nearest: string | null = null;
  let least = allowed + 1;
  for (const candidate of candidates.slice(0, MAX_CANDIDATES)) {
    const distance = editDistance(typed.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [nearest, least] = [candidate, distance];
  }
  return nearest;
}

/** A hint is not worth more than a moment. */
const MAX_CANDIDATES = 5_000;

function foldedBytes(name: string): Uint8Array {
  return encodeUtf8(name.replace(/[A-Z]/g, (letter) => letter.toLowerCase()));
}

/** Insertions, deletions and replacements of single characters, and exchanges of neighbours. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1;
      let cost = Math.min((last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + change);
      const exchanged = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (exchanged) cost = Math.min(cost, (beforeLast[column - 2] ?? cost) + 1);
      current.push(cost);
    }
    [beforeLast, last] = [last, current];
  }
  return last[b.length] ?? 0;
}

import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Recordings and facts lie beside the project, at `../shared` from its root; a checkout can do without them. */
export const SHARED = new URL("../../../../shared/", import.meta.url);

export const isSharedPresent = existsSync(SHARED);

/** The JSON files of a folder by name without suffix; none where the shared material is absent. */
export function readRecordings<T>(folder: string): [name: string, content: T][] {
  const place = new URL(`${folder}/`, SHARED);
  if (!existsSync(place)) {
    return [];
  }
  return readdirSync(place)
    .filter((file) => file.endsWith(".json"))
    .map((file) => [file.slice(0, -".json".length), JSON.parse(readFileSync(new URL(file, place), "utf8")) as T]);
}

/** A call that was answered or refused. */
export type Recorded<T> = { readonly ok: T } | { readonly err: RecordedError };
export interface RecordedError {
  readonly code: number;
  readonly domain: number;
  readonly message: string;
  readonly str2: string | null;
}

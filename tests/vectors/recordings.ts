import { readdirSync, readFileSync } from "node:fs";

/** One packet as it went over the wire between libvirt 9.0.0 and a client. */
export interface RecordedPacket {
  readonly file: string;
  /** Position in its file. */
  readonly index: number;
  readonly direction: "client->server" | "server->client";
  /** null: nothing was sent (silence, or the connection was closed). */
  readonly bytes: Uint8Array | null;
  readonly label: string | null;
  /** What an independent decoder read from the body; undefined where there is none. */
  readonly body: unknown;
}

interface RecordingFile {
  readonly vectors: readonly {
    readonly direction: RecordedPacket["direction"];
    readonly hex: string | null;
    readonly label?: string;
    readonly decoded?: string | { readonly body?: unknown };
  }[];
}

const directory = new URL("./recorded/", import.meta.url);

/** All recordings, file by file, in the order on the wire. */
export function readRecordings(): ReadonlyMap<string, readonly RecordedPacket[]> {
  const files = readdirSync(directory).filter((name) => name.endsWith(".json"));
  return new Map(files.sort().map((file) => [file, readRecording(file)]));
}

function readRecording(file: string): RecordedPacket[] {
  const recording = JSON.parse(readFileSync(new URL(file, directory), "utf8")) as RecordingFile;
  return recording.vectors.map((vector, index) => ({
    file,
    index,
    direction: vector.direction,
    bytes: vector.hex === null ? null : Uint8Array.from(Buffer.from(vector.hex, "hex")),
    label: vector.label ?? null,
    body: typeof vector.decoded === "object" ? vector.decoded.body : undefined,
  }));
}

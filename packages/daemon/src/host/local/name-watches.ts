import { hostLimits } from "../../limits.js";
import type { NameWatch } from "../host.js";
import { textOfBytes } from "../names.js";
import * as native from "../native.js";
import { isReservedName } from "../temporary-names.js";

const { IN_CLOSE_WRITE, IN_MOVED_TO, IN_CREATE, IN_DELETE_SELF, IN_MOVE_SELF } = native.notifications;
const { IN_UNMOUNT, IN_Q_OVERFLOW, IN_IGNORED, IN_ONLYDIR } = native.notifications;

const WATCHED = IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
/** The directory is not what it was, or not where it was. */
const LOST = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;

/** As the kernel calls a file without a name, which is no entry of its directory. */
const NAMELESS = /^#\d+$/;

/** struct inotify_event: int wd, uint32 mask, cookie, length of the name that follows, with zeros behind it. */
const HEADER_BYTES = 16;
/** The kernel gives whole notes: of a buffer filled so far there may be more. */
const FULL_BYTES = 65_536 - HEADER_BYTES - 256;

/**
 * What happens in directories, as the kernel notes it (inotify(7)). It keeps a queue for all of them, of limited length: one
 * that has run over tells of nothing any more.
 */
export class NameWatches {
  readonly #buffer = Buffer.alloc(65_536);
  readonly #byNumber = new Map<number, Set<Watch>>();
  #fd: number | null = null;

  /** null: the kernel has no more watches to give. */
  watch(directory: number): NameWatch | null {
    // What was noted before is of no interest, and two watches of one directory have one number.
    this.#read();
    if (this.#fd === null) {
      const fd = native.openNotificationsSync();
      if (fd < 0) return null;
      this.#fd = fd;
    }
    // The open directory itself: no path is looked up, and no disk waited for.
    const number = native.watchSync(this.#fd, `/proc/self/fd/${directory}`, WATCHED);
    if (number < 0) return null;
    const watch: Watch = new Watch(
      () => this.#read(),
      () => this.#end(number, watch),
    );
    const others = this.#byNumber.get(number);
    if (others === undefined) this.#byNumber.set(number, new Set([watch]));
    else others.add(watch);
    return watch;
  }

  close(): void {
    if (this.#fd !== null) native.closeSync(this.#fd);
    this.#fd = null;
    this.#loseAll();
    this.#byNumber.clear();
  }

  #end(number: number, watch: Watch): void {
    const watches = this.#byNumber.get(number);
    if (watches?.delete(watch) !== true || watches.size > 0) return;
    this.#byNumber.delete(number);
    if (this.#fd !== null) native.unwatchSync(this.#fd, number);
  }

  #read(): void {
    if (this.#fd === null) return;
    const length = native.readNotificationsSync(this.#fd, this.#buffer);
    for (let at = 0; at < length; ) at += this.#take(at);
    // More than one look takes would hold everybody up: whoever watches has to look for himself.
    if (length > FULL_BYTES) this.close();
  }

  /** Gives the length of the note. */
  #take(at: number): number {
    const mask = this.#buffer.readUInt32LE(at + 4);
    const nameBytes = this.#buffer.readUInt32LE(at + 12);
    const end = at + HEADER_BYTES + nameBytes;
    if ((mask & IN_Q_OVERFLOW) !== 0) this.#loseAll();
    const watches = this.#byNumber.get(this.#buffer.readInt32LE(at)) ?? [];
    if ((mask & LOST) !== 0) for (const watch of watches) watch.lose();
    else if (nameBytes > 0) {
      const padded = this.#buffer.subarray(at + HEADER_BYTES, end);
      const name = textOfBytes(padded.subarray(0, padded.indexOf(0)));
      const isEntry = (mask & IN_CLOSE_WRITE) === 0 || !NAMELESS.test(name);
      if (isEntry && !isReservedName(name)) for (const watch of watches) watch.add(name);
    }
    return end - at;
  }

  #loseAll(): void {
    for (const watches of this.#byNumber.values()) for (const watch of watches) watch.lose();
  }
}

class Watch implements NameWatch {
  readonly #read: () => void;
  readonly #end: () => void;
  #names: Set<string> | null = new Set();

  constructor(read: () => void, end: () => void) {
    this.#read = read;
    this.#end = end;
  }

  taken(): Iterable<string> | null {
    this.#read();
    const names = this.#names;
    if (names !== null && names.size > 0) this.#names = new Set();
    return names;
  }

  close(): void {
    this.#names = null;
    this.#end();
  }

  /** Of more than somebody may want to hear of nothing is told: whoever asks has to look. */
  add(name: string): void {
    this.#names?.add(name);
    if ((this.#names?.size ?? 0) > hostLimits.newcomerNames) this.lose();
  }

  lose(): void {
    this.#names = null;
  }
}

import { type FileHandle, open } from "node:fs/promises";
import { posix } from "node:path";
import { hostLimits } from "../limits.js";
import { hostError } from "./errors.js";
import { whyHangProne } from "./file-system-types.js";
import type { Entries, FoundLink, LinkReader } from "./links.js";
import { textOfLatin1 } from "./names.js";
import * as native from "./native.js";

/**
 * Which file system a path leads to, found without touching file systems that may hang. The kernel's mount table says
 * where each mount begins and of what type it is; reading it asks no server. The path is walked from mount to mount:
 * only components on local file systems are looked at (readlink), and the walk ends where a mount of a hang-prone type
 * begins.
 *
 *   36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
 *   (id, parent id, device, root, mount point, options, optional fields…, "-", type, source, options)
 */

export interface Mount {
  readonly id: number;
  readonly parentId: number;
  readonly mountPoint: string;
  readonly type: string;
  readonly source: string;
}

/** The mount that begins at `path`, by the table as it is now. */
export async function readMountAt(path: string, firstLink: LinkReader): Promise<Mount | null> {
  return walked(mountPointAt(new MountTable(await readTable()), path), firstLink);
}

/** See `Host.realPath`. */
export async function readRealPath(path: string, firstLink: LinkReader): Promise<string> {
  const reached = await walked(follow(new MountTable(await readTable()), path), firstLink);
  return reached === null ? path : posix.normalize(reached.path);
}

export async function walked<Result>(walk: Walk<Result>, firstLink: LinkReader): Promise<Result> {
  let step = walk.next();
  while (!step.done) step = walk.next(await firstLink(step.value));
  return step.value;
}

async function readTable(): Promise<string> {
  const file = await open(mountInfoPath, "r");
  try {
    return await textOf(file);
  } finally {
    await file.close();
  }
}

export class MountTable {
  readonly #root: Mount | null;
  readonly #children = new Map<string, Mount>();

  constructor(text: string) {
    const mounts = text.split("\n").flatMap((line) => parseLine(line) ?? []);
    const ids = new Set(mounts.map((mount) => mount.id));
    let root: Mount | null = null;
    for (const mount of mounts) {
      // Of a mount whose parent is not listed (the root; everything right below a chroot), the parent is "outside".
      const parent = ids.has(mount.parentId) && mount.parentId !== mount.id ? mount.parentId : 0;
      if (parent === 0 && mount.mountPoint === "/") root = mount;
      this.#children.set(`${parent}:${mount.mountPoint}`, mount);
    }
    this.#root = root;
  }

  /** The mount seen at "/"; null in a chroot that is not a mount point. */
  get root(): Mount | null {
    return this.#root === null ? null : this.#topmost(this.#root, "/");
  }

  /** The mount one enters at `path` coming from `below`; null when `path` is an ordinary entry there. */
  enter(below: Mount | null, path: string): Mount | null {
    const mount = this.#children.get(`${below?.id ?? 0}:${path}`);
    return mount === undefined ? null : this.#topmost(mount, path);
  }

  /** Mounts can be stacked on one point; only the last one is seen. */
  #topmost(mount: Mount, path: string): Mount {
    let top = mount;
    for (;;) {
      const above = this.#children.get(`${top.id}:${path}`);
      if (above === undefined || above === top) return top;
      top = above;
    }
  }
}

/** What a path leads to: a local file system, or one that can hang, named by its mount. */
export type Location =
  | { readonly home: "local" }
  | { readonly home: "remote"; readonly mount: Mount; readonly path: string };

/** The walks are generators: they yield local entries, and are sent the first symlink among them. */
type Walk<Result> = Generator<Entries, Result, FoundLink | null>;

/** Which storage a path leads to. */
export function* locate(table: MountTable, path: string): Walk<Location> {
  const reached = yield* follow(table, path);
  if (reached?.mount == null || reached.isLocal) return { home: "local" };
  return { home: "remote", mount: reached.mount, path: reached.path };
}

/** The mount that begins just where a path leads to. */
export function* mountPointAt(table: MountTable, path: string): Walk<Mount | null> {
  const reached = yield* follow(table, path);
  if (reached?.mount == null) return null;
  const { mount } = reached;
  return mount.mountPoint === (posix.normalize(reached.path).replace(/\/$/, "") || "/") ? mount : null;
}

/** How far a path was followed. */
interface Reached {
  readonly mount: Mount | null;
  readonly isLocal: boolean;
  /** Without symlinks, up to where a mount of a hang-prone type begins; from there on as it was given. */
  readonly path: string;
}

/**
 * null: too many symlinks. Where there is no symlink, there is an ordinary entry, or nothing: what does not exist is judged
 * by its nearest existing ancestor.
 */
function* follow(table: MountTable, path: string): Walk<Reached | null> {
  let mount = table.root;
  if (mount !== null && whyHangProne(mount.type) !== null) return { mount, isLocal: false, path };
  // Mounts left behind by "..": the mount each prefix of `current` is on.
  let current: { readonly path: string; readonly mount: Mount | null }[] = [{ path: "", mount }];
  const pending = path.split("/").reverse();
  let links = 0;
  while (pending.length > 0) {
    const component = pending.at(-1);
    if (component === undefined || isNoName(component)) {
      pending.pop();
      if (component === ".." && current.length > 1) current.pop();
      continue;
    }
    const here = current.at(-1) ?? { path: "", mount: table.root };
    const next = `${here.path}/${component}`;
    mount = table.enter(here.mount, next);
    if (mount !== null) {
      pending.pop();
      if (whyHangProne(mount.type) !== null)
        return { mount, isLocal: false, path: [next, ...pending.reverse()].join("/") };
      current.push({ path: next, mount });
      continue;
    }
    const entries = upToNextMount(table, here, pending);
    const link = yield entries;
    const passed = entries.ends.slice(0, link?.index);
    for (const end of passed) current.push({ path: entries.path.slice(0, end), mount: here.mount });
    pending.length -= passed.length;
    if (link === null) continue;
    pending.pop();
    links += 1;
    // The real call will say ELOOP.
    if (links > hostLimits.symlinksInPath) return null;
    if (link.content.startsWith("/")) current = [{ path: "", mount: table.root }];
    pending.push(...link.content.split("/").reverse());
  }
  const last = current.at(-1);
  return { mount: last?.mount ?? null, isLocal: true, path: last?.path || "/" };
}

/** Entries below `here`, by the names that are pending, as far as no other mount begins. */
function upToNextMount(
  table: MountTable,
  here: { readonly path: string; readonly mount: Mount | null },
  pending: readonly string[],
): Entries {
  let { path } = here;
  const ends: number[] = [];
  for (let index = pending.length - 1; index >= 0 && ends.length < hostLimits.entriesAtOnce; index -= 1) {
    const name = pending[index] ?? "";
    const next = `${path}/${name}`;
    if (isNoName(name) || table.enter(here.mount, next) !== null) break;
    path = next;
    ends.push(path.length);
  }
  return { path, ends };
}

function isNoName(component: string): boolean {
  return component === "" || component === "." || component === "..";
}

const mountInfoPath = "/proc/self/mountinfo";

/**
 * The kernel's mount table, parsed anew only when it has changed: equal tables are one object. The file stays open, and
 * its descriptor is asked whether there is anything to read, which costs no trip to another thread.
 */
export class MountTableReader {
  #text = "";
  #table = new MountTable("");
  #opening: Promise<FileHandle> | null = null;
  #file: FileHandle | null = null;
  /** The table was read then. */
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<MountTable> | null = null;
  #changes = 0;
  /** Whether the kernel was asked in this turn of the event loop: one call of a client asks several times, with nothing in between. */
  #isAsked = false;

  async read(): Promise<MountTable> {
    this.#opening ??= open(mountInfoPath, "r");
    const file = await this.#opening;
    this.#file = file;
    const { known } = this;
    if (known !== null) return known;
    this.#reading ??= this.#readAll(file);
    return this.#reading;
  }

  /** The table as it is, where that is known without reading it. */
  get known(): MountTable | null {
    if (this.#file === null) return null;
    if (!this.#isAsked && this.#ask(this.#file)) {
      // Whoever reads just now may have begun before the change.
      this.#changes += 1;
      this.#readAtMs = Number.NEGATIVE_INFINITY;
      this.#reading = null;
    }
    return performance.now() - this.#readAtMs < hostLimits.mountTableTrustMs ? this.#table : null;
  }

  #ask(file: FileHandle): boolean {
    this.#isAsked = true;
    setImmediate(() => {
      this.#isAsked = false;
    });
    return native.mountTableChangedSync(file.fd);
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = null;
    this.#file = null;
    await (await opening)?.close();
  }

  async #readAll(file: FileHandle): Promise<MountTable> {
    const changes = this.#changes;
    const startedAtMs = performance.now();
    try {
      const text = await textOf(file);
      if (this.#changes !== changes) return new MountTable(text);
      this.#readAtMs = startedAtMs;
      return this.parse(text);
    } finally {
      if (this.#changes === changes) this.#reading = null;
    }
  }

  /** `text`: one character per byte. */
  parse(text: string): MountTable {
    if (text !== this.#text) {
      this.#table = new MountTable(text);
      this.#text = text;
    }
    return this.#table;
  }
}

/** The kernel gives a page or two with each read, whatever is asked for. */
const readBytes = 65_536;

async function textOf(file: FileHandle): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(readBytes), 0, readBytes, length);
    if (bytesRead === 0) break;
    length += bytesRead;
    if (length > hostLimits.mountTableBytes) throw hostError("EFBIG", `"${mountInfoPath}" is too long`);
    chunks.push(buffer.subarray(0, bytesRead));
  }
  return Buffer.concat(chunks, length).toString("latin1");
}

function parseLine(line: string): Mount | null {
  const fields = line.split(" ");
  const separator = fields.indexOf("-", 6);
  const [id, parentId, , , mountPoint] = fields;
  const type = fields[separator + 1];
  if (separator < 0 || id === undefined || parentId === undefined || mountPoint === undefined || type === undefined)
    return null;
  return {
    id: Number(id),
    parentId: Number(parentId),
    mountPoint: unescapeField(mountPoint),
    type,
    source: unescapeField(fields[separator + 2] ?? ""),
  };
}

/** Blank, tab, newline and backslash are written as three octal digits. */
function unescapeField(field: string): string {
  return textOfLatin1(
    field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
  );
}

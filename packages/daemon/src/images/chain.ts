import { imageLimits } from "../limits.js";
import type { ChainLink, ChainProblem, ChainProblemKind, FormatOrigin } from "./chain-link.js";
import type { ChainStorage, Found } from "./chain-storage.js";
import type { ImageDetails } from "./image-details.js";
import { type LinkTarget, linkTarget } from "./link-target.js";
import { isReadable, readImage, recognise } from "./read-image.js";

/** Where a chain begins. */
export interface ChainStart {
  readonly path: string;
  /** As it was recorded, which is what counts: a guest may have written any header into a raw disk. */
  readonly format: string;
  /** Raw content in a LUKS envelope, as recorded: then that header is read. */
  readonly isLuks: boolean;
  readonly followsSymlink: boolean;
}

export interface Chain {
  readonly links: readonly ChainLink[];
  /** False where a link could not be looked into: what lies behind it is not known. */
  readonly isComplete: boolean;
}

/**
 * Follows a chain link by link. What is wrong with a link is said there; this rejects for no reason that lies in an image.
 * The rules:
 *
 * - The format of a link is what the image above declares; only where nothing is declared do the first bytes decide. What
 *   is declared raw, and data files, are never looked into: a guest may write there what it likes.
 * - Only regular files and block devices are opened, each at most once, of a chain of at most `imageLimits.chainLinks`.
 * - Names with a protocol are kept and end the chain.
 */
export async function resolveChain(start: ChainStart, storage: ChainStorage): Promise<Chain> {
  const walk = new Walk(storage);
  const target: LinkTarget = start.path.startsWith("/")
    ? { kind: "path", path: start.path, format: null }
    : { kind: "remote" };
  let next: WantedLink | null = {
    role: "volume",
    namedBy: null,
    name: start.path,
    target,
    format: start.format,
    origin: "recorded",
    isLuks: start.isLuks,
    followsSymlink: start.followsSymlink,
  };
  for (let depth = 1; next !== null; depth++) {
    if (depth > imageLimits.chainLinks) {
      walk.stop("too-deep", `The chain goes on with "${next.name}" beyond ${imageLimits.chainLinks} links.`);
      break;
    }
    next = await walk.follow(next);
  }
  return { links: walk.links, isComplete: walk.isComplete };
}

/** A link that an image names, before it is looked at. */
interface WantedLink {
  readonly role: ChainLink["role"];
  readonly namedBy: number | null;
  readonly name: string;
  readonly target: LinkTarget;
  /** null: not declared (`origin` is "probed"), or of no interest (null). */
  readonly format: string | null;
  readonly origin: FormatOrigin | null;
  readonly isLuks: boolean;
  readonly followsSymlink: boolean;
}

/** These end a chain; the others are told and passed. */
const ENDINGS: ReadonlySet<ChainProblemKind> = new Set<ChainProblemKind>([
  "missing",
  "unreadable",
  "cycle",
  "too-deep",
  "format-differs",
  "special",
  "unusable-name",
  "unknown-format",
  "damaged",
]);

/** Formats by which images declare plain content: raw, and qemu's drivers for files and devices. */
const PLAIN_FORMATS = ["raw", "file", "host_device", "host_cdrom"];

export function isPlainFormat(format: string): boolean {
  return PLAIN_FORMATS.includes(format);
}

class Walk {
  readonly links: ChainLink[] = [];
  isComplete = true;
  readonly #storage: ChainStorage;
  /** Place in the chain by identity. */
  readonly #seen = new Map<string, number>();
  #dataFiles = 0;

  constructor(storage: ChainStorage) {
    this.#storage = storage;
  }

  /** Looks at a link, adds it with its data files, and gives what it rests on. */
  async follow(wanted: WantedLink): Promise<WantedLink | null> {
    const index = this.links.length;
    const link = await this.#look(wanted);
    this.#add(link);
    const { image, path } = link;
    if (image === null || path === null) return null;
    const directory = path.slice(0, path.lastIndexOf("/"));
    const named = { namedBy: index, isLuks: false, followsSymlink: true };
    for (const name of image.dataFiles) {
      if (++this.#dataFiles > imageLimits.chainDataFiles) {
        this.stop("too-deep", `The chain has more than ${imageLimits.chainDataFiles} data files.`);
        return null;
      }
      // An extent of vmdk may be of several kinds; nothing follows from it.
      const isRaw = image.qcow2 !== null;
      const kind = { format: isRaw ? "raw" : null, origin: isRaw ? ("rule" as const) : null };
      this.#add(await this.#look({ ...named, ...kind, role: "data", name, target: linkTarget(name, directory) }));
    }
    const { backing } = image;
    if (backing === null) return null;
    const target = linkTarget(backing.string, directory);
    const declared = declaredFormat(backing.format, target);
    const origin = declared === null ? "probed" : "declared";
    return { ...named, role: "backing", name: backing.string, target, format: declared, origin };
  }

  /** Says of the last link why nothing more is looked at. */
  stop(kind: ChainProblemKind, detail: string): void {
    this.isComplete = false;
    const last = this.links.pop();
    if (last !== undefined) this.links.push({ ...last, problems: [...last.problems, { kind, detail }] });
  }

  #add(link: ChainLink): void {
    this.links.push(link);
    if (link.problems.some(({ kind }) => ENDINGS.has(kind))) this.isComplete = false;
  }

  async #look(wanted: WantedLink): Promise<ChainLink> {
    const { target } = wanted;
    const link = unseenLink(wanted);
    if (target.kind === "remote") return { ...link, place: "remote" };
    if (target.kind === "unusable") return { ...link, problems: [{ kind: "unusable-name", detail: target.why }] };
    const placed = { ...link, path: target.path };
    const look = await this.#storage.look(target.path, wanted.followsSymlink);
    if (look.kind === "obstacle") return { ...placed, inside: look.inside, problems: look.problems };
    await using found = look;
    const { kind, identity, sizeBytes, allocatedBytes, inside, problems } = found;
    const seen = { ...placed, place: kind, identity, sizeBytes, allocatedBytes, inside, problems };
    const earlier = this.#seen.get(identity);
    if (earlier !== undefined) return withProblem(seen, "cycle", `It is link ${earlier} of this chain already.`);
    this.#seen.set(identity, this.links.length);
    return await this.#lookInto(seen, wanted, found);
  }

  async #lookInto(link: ChainLink, wanted: WantedLink, found: Found): Promise<ChainLink> {
    const { format } = wanted;
    const isPlain = wanted.role === "data" || (format !== null && isPlainFormat(format) && !wanted.isLuks);
    const isEmpty = found.kind === "file" && found.sizeBytes === 0n;
    if (isPlain && found.kind === "file") return { ...link, capacityBytes: plainCapacity(wanted, found.sizeBytes) };
    // An empty file has no header, and what the kernel makes up in /proc says that it is empty.
    if (isEmpty) return emptyLink(link, format);
    if (format !== null && !isPlain && !wanted.isLuks && !isReadable(format)) {
      return withProblem(link, "unknown-format", `Nothing is known of the format "${format}".`);
    }
    try {
      await using source = await found.open();
      const sized = { ...link, sizeBytes: source.sizeBytes };
      if (isPlain) return { ...sized, capacityBytes: plainCapacity(wanted, source.sizeBytes) };
      const actual = wanted.isLuks ? "luks" : (format ?? (await recognise(source)));
      const image = await readImage(source, actual, { lists: wanted.role === "volume" });
      if (image === null) {
        const holds = await recognise(source);
        return withProblem(sized, "format-differs", `It should be ${actual}, but holds ${holds}.`);
      }
      return lookedInto({ ...sized, format: format ?? actual }, image);
    } catch (thrown) {
      return withProblem(link, "unreadable", `"${link.path}" cannot be read: ${messageOf(thrown)}`);
    }
  }
}

function unseenLink({ role, namedBy, name, format, origin }: WantedLink): ChainLink {
  return {
    role,
    namedBy,
    name,
    path: null,
    format,
    formatOrigin: origin,
    place: "nowhere",
    identity: null,
    sizeBytes: null,
    allocatedBytes: null,
    capacityBytes: null,
    inside: null,
    image: null,
    problems: [],
  };
}

/** The image's own declaration comes before that of a description in the name, as for qemu. */
function declaredFormat(declared: string | null, target: LinkTarget): string | null {
  if (declared !== null && declared !== "") return declared;
  return target.kind === "path" ? target.format : null;
}

function plainCapacity({ role, format }: WantedLink, sizeBytes: bigint): bigint | null {
  return role === "data" && format === null ? null : sizeBytes;
}

function emptyLink(link: ChainLink, format: string | null): ChainLink {
  if (format === null) return { ...link, format: "raw", capacityBytes: 0n };
  return withProblem(link, "format-differs", `It should be ${format}, but is empty.`);
}

function lookedInto(link: ChainLink, image: ImageDetails): ChainLink {
  const capacityBytes = image.capacityBytes ?? link.sizeBytes;
  const isRaw = image.format === "raw";
  const seen = { ...link, capacityBytes, image: isRaw ? null : image };
  return image.problems.length === 0 ? seen : withProblem(seen, "damaged", image.problems.join(" "));
}

function withProblem(link: ChainLink, kind: ChainProblem["kind"], detail: string): ChainLink {
  return { ...link, problems: [...link.problems, { kind, detail }] };
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

import type { Command, CommandArgument, Directory, File, PathPlacement } from "../host/host.js";

/*
 * Command lines of qemu-img, argument for argument as libvirt 9.0 gives them, so that a failed one reads the same in a
 * client. The difference: files go in by descriptor (see CommandArgument), passphrases by a private file.
 *
 *   create -f FMT [-b BACKING] [-u] [--object secret,…] [-o OPTIONS] OUT [SIZEK]
 *   convert -f INFMT -O OUTFMT [-o OPTIONS] IN OUT
 *   convert --image-opts -n --target-image-opts [--object secret,…]… INOPTS OUTOPTS
 *   resize [--shrink] [-f FMT, not shown] FILE BYTES
 *   resize [--shrink] --object secret,… --image-opts OPTS BYTES
 */

const QEMU_IMG = "qemu-img";
const KIBIBYTE = 1024n;
/** qemu sizes disks in sectors. */
const SECTOR_BYTES = 512n;

/** A file as an argument: how it is reached (see CommandArgument). */
export type FileArgument = FileInDirectory | OpenFile;
export interface FileInDirectory {
  readonly in: Directory;
  readonly name: string;
}
export interface OpenFile {
  readonly file: File;
  readonly name: string;
}

/** A passphrase that qemu-img reads from a file, and the id by which the other arguments speak of it. */
export interface PassphraseArgument {
  readonly id: string;
  readonly file: FileArgument;
}

export interface ImageCreation {
  /** "luks" where raw content is to be encrypted. */
  readonly format: string;
  /** As it will stand in the image. */
  readonly backing: string | null;
  /** -u: qemu-img does not open the backing file (it would look for a relative one in the wrong directory). */
  readonly backingIsChecked?: boolean;
  readonly passphrase: PassphraseArgument | null;
  /** `imageOptions()`, null: none. */
  readonly options: string | null;
  readonly output: FileArgument;
  /** null: that of the backing file. */
  readonly capacityBytes: bigint | null;
}

export function createImage(image: ImageCreation): Command {
  const args: CommandArgument[] = ["create", "-f", image.format];
  if (image.backing !== null) args.push("-b", image.backing);
  if (image.backingIsChecked === true) args.push("-u");
  if (image.passphrase !== null) args.push(...secretObject(image.passphrase));
  if (image.options !== null) args.push("-o", image.options);
  args.push(image.output);
  if (image.capacityBytes !== null) args.push(`${(image.capacityBytes + KIBIBYTE - 1n) / KIBIBYTE}K`);
  return { program: QEMU_IMG, args };
}

export interface ImageConversion {
  readonly inputFormat: string;
  readonly outputFormat: string;
  readonly options: string | null;
  readonly input: FileArgument;
  readonly output: FileArgument;
  readonly pace?: ConversionPace;
}

/** How a conversion goes: it says how far it is, which messages do not show (libvirt does not ask for it). */
export interface ConversionPace {
  /** null: as fast as it can. */
  readonly bytesPerSecond: bigint | null;
}

/** -p: tell the progress on stdout; -r: bytes a second. */
function paceArguments(pace: ConversionPace | undefined): CommandArgument[] {
  if (pace === undefined) return [];
  const limit = pace.bytesPerSecond;
  return [{ unshown: "-p" }, ...(limit === null ? [] : [{ unshown: "-r" }, { unshown: `${limit}` }])];
}

/** Reads `    (12.34/100%)\r` from stdout as it comes; `tell` gets the share that is done, 0 to 1. */
export function progressReader(tell: (share: number) => void): (text: string) => void {
  let rest = "";
  return (text) => {
    rest = (rest + text).slice(-LONGEST_PROGRESS);
    let share: number | null = null;
    rest = rest.replace(/\((\d+(?:\.\d+)?)\/100%\)/g, (_, percent: string) => {
      share = Number(percent) / 100;
      return "";
    });
    if (share !== null) tell(share);
  };
}

/** Nothing that is being looked for is longer, whatever else a program may print. */
const LONGEST_PROGRESS = 1_024;

/** Copies what a guest sees into a new image of another (or the same) format. */
export function convertImage(image: ImageConversion): Command {
  const args: CommandArgument[] = [
    "convert",
    ...paceArguments(image.pace),
    "-f",
    image.inputFormat,
    "-O",
    image.outputFormat,
  ];
  if (image.options !== null) args.push("-o", image.options);
  args.push(image.input, image.output);
  return { program: QEMU_IMG, args };
}

/** One end of a conversion in which a passphrase is needed. */
export interface KeyedImage {
  /** "luks" for encrypted raw content. */
  readonly format: string;
  readonly passphrase: PassphraseArgument | null;
  readonly file: FileArgument;
}

/** Copies what a guest sees into an image that `createImage` made; either end may be encrypted. */
export function convertKeyedImage(input: KeyedImage, output: KeyedImage, pace?: ConversionPace): Command {
  const args: CommandArgument[] = ["convert", ...paceArguments(pace), "--image-opts", "-n", "--target-image-opts"];
  for (const { passphrase } of [output, input]) {
    if (passphrase !== null) args.push(...secretObject(passphrase));
  }
  for (const { format, passphrase, file } of [input, output]) {
    const key = passphrase === null ? "" : `,${keySecret(format)}=${passphrase.id}`;
    args.push({ ...inOptions(file), before: `driver=${format},file.filename=`, after: key });
  }
  return { program: QEMU_IMG, args };
}

export interface ImageResize {
  readonly image: FileArgument;
  /** "luks" for raw content that is encrypted. */
  readonly format: string;
  /** Needed where the image is encrypted. */
  readonly passphrase: PassphraseArgument | null;
  readonly capacityBytes: bigint;
  readonly shrinks: boolean;
}

/** Without -f, which libvirt does not give, qemu-img would guess the format from bytes that a guest can write. */
export function resizeImage({ image, format, passphrase, capacityBytes, shrinks }: ImageResize): Command {
  const args: CommandArgument[] = ["resize"];
  if (shrinks) args.push("--shrink");
  if (passphrase === null) {
    args.push({ unshown: "-f" }, { unshown: format }, image);
  } else {
    const before = `driver=${format},${keySecret(format)}=${passphrase.id},file.filename=`;
    args.push(...secretObject(passphrase), "--image-opts", { ...inOptions(image), before });
  }
  args.push(`${((capacityBytes + SECTOR_BYTES - 1n) / SECTOR_BYTES) * SECTOR_BYTES}`);
  return { program: QEMU_IMG, args };
}

/** The id of a volume's passphrase: qemu takes letters, digits and "-._" after a first letter. */
export function passphraseId(volumeName: string): string {
  return /^[A-Za-z][-._A-Za-z0-9]*$/.test(volumeName) ? `${volumeName}_encrypt0` : "volume_encrypt0";
}

function secretObject({ id, file }: PassphraseArgument): CommandArgument[] {
  return ["--object", { ...inOptions(file), before: `secret,id=${id},file=` }];
}

/** Of an image driver: where it takes the id of its passphrase. */
function keySecret(format: string): string {
  return format === "luks" ? "key-secret" : "encrypt.key-secret";
}

/** Inside an option list a comma of the path is written twice. */
function inOptions(argument: FileArgument): FileArgument & PathPlacement {
  return { ...argument, escapesCommas: true };
}

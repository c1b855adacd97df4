import { randomUUID } from "node:crypto";
import type { VolumeEncryption } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { type Directory, PASSPHRASE_SUFFIX } from "../../host/index.js";
import type { PassphraseArgument } from "../../tools/qemu-img.js";
import { singleSecret } from "../../tools/qemu-img-checks.js";
import type { VolumeContext } from "../driver.js";
import { failingAs } from "./failure.js";

/** The passphrase that a document names: 8/18 where it does not name one, 66/30 where it is unknown. */
export async function passphraseOf(encryption: VolumeEncryption, context: VolumeContext): Promise<Uint8Array> {
  return context.secret(singleSecret(encryption).lookup);
}

/**
 * The encryption of a volume that exists. A scan sees that it is encrypted but not by which secret; then it is the secret
 * that names the volume's path. Where none does, there is none.
 */
export async function withSecretOfPath(
  encryption: VolumeEncryption,
  path: string,
  context: VolumeContext,
): Promise<VolumeEncryption> {
  if (encryption.secrets.length > 0) return encryption;
  const lookup = { usage: path };
  try {
    await context.secret(lookup);
  } catch (thrown) {
    if (!(thrown instanceof LibvirtError) || thrown.code !== ErrorCode.NO_SECRET) throw thrown;
    return encryption;
  }
  return { ...encryption, secrets: [{ type: "passphrase", lookup }] };
}

/** Hands the passphrase to `use` as a file that only this daemon can read, and that is gone afterwards. */
export async function withPassphraseFile<T>(
  directory: Directory,
  id: string,
  passphrase: Uint8Array,
  use: (argument: PassphraseArgument) => Promise<T>,
): Promise<T> {
  const name = randomUUID() + PASSPHRASE_SUFFIX;
  try {
    await failingAs("failed to write secret file", writeNew(directory, name, passphrase), ErrorDomain.STORAGE);
    return await use({ id, file: { in: directory, name } });
  } finally {
    await directory.removeFile(name).catch(() => {
      // It was not made; or the directory, which is cleared when the daemon starts, cannot be written any more.
    });
  }
}

async function writeNew(directory: Directory, name: string, content: Uint8Array): Promise<void> {
  await using file = await directory.open(name, { access: "write", create: "exclusive", mode: 0o600 });
  await file.write(0n, content);
}

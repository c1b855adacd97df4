import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** An authority, and what it certifies, made by openssl for a day. */
export class Authority {
  readonly #directory: string;

  /** `directory`: is made. */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true });
    this.#directory = directory;
    const subject = ["-subj", "/CN=authority of a test", "-addext", "basicConstraints=critical,CA:TRUE"];
    openssl(
      "req",
      "-x509",
      "-newkey",
      "ed25519",
      "-nodes",
      "-days",
      "1",
      ...subject,
      "-keyout",
      this.#key,
      "-out",
      this.path,
    );
  }

  get path(): string {
    return join(this.#directory, "cacert.pem");
  }

  get #key(): string {
    return join(this.#directory, "cakey.pem");
  }

  /** Writes a key and a certificate for it. `names`: as `IP:127.0.0.1,DNS:localhost`; a client needs none. */
  certify(commonName: string, keyPath: string, certificatePath: string, names?: string): void {
    const request = join(this.#directory, "request.pem");
    const extensions = join(this.#directory, "extensions");
    writeFileSync(extensions, names === undefined ? "basicConstraints=CA:FALSE\n" : `subjectAltName=${names}\n`);
    openssl("req", "-newkey", "ed25519", "-nodes", "-subj", `/CN=${commonName}`, "-keyout", keyPath, "-out", request);
    const signed = ["-CA", this.path, "-CAkey", this.#key, "-CAcreateserial", "-days", "1", "-extfile", extensions];
    openssl("x509", "-req", "-in", request, ...signed, "-out", certificatePath);
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}

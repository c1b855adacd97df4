import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import { loginFailed } from "../authentication/mechanism.js";
import { givenUp, watchSignal } from "../giving-up.js";
import type { Patience } from "./connected.js";
import { connectTcp } from "./tcp.js";

/** Where a client's certificates lie. */
export interface CertificatePlaces {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** Where to go by TLS, and whom to believe. */
export interface TlsTarget {
  readonly host: string;
  readonly port: number;
  /** Whether the server has to show a certificate of the authority, for the name it was asked by. */
  readonly verifiesServer: boolean;
  /** A directory with `cacert.pem`, `clientcert.pem` and `clientkey.pem`; null: libvirt's places. */
  readonly pkiPath: string | null;
}

/** libvirt's: one directory where it was named, the user's own if they have an authority's there, else the system's. */
export function certificatePlaces(
  pkiPath: string | null,
  home: string = homedir(),
  userId: number = process.getuid?.() ?? 0,
  exists: (path: string) => boolean = existsSync,
): CertificatePlaces {
  const own = join(home, ".pki/libvirt");
  const directory = pkiPath ?? (userId !== 0 && exists(join(own, "cacert.pem")) ? own : null);
  if (directory !== null) {
    return {
      authority: join(directory, "cacert.pem"),
      certificate: join(directory, "clientcert.pem"),
      key: join(directory, "clientkey.pem"),
    };
  }
  return {
    authority: "/etc/pki/CA/cacert.pem",
    certificate: "/etc/pki/libvirt/clientcert.pem",
    key: "/etc/pki/libvirt/private/clientkey.pem",
  };
}

/**
 * Connects by TLS. The server says with one byte that it takes the client for who it is. 45 where certificates are missing or
 * cannot be used, and when either side does not trust the other; 38 where nobody listens.
 */
export async function connectTls(target: TlsTarget, patience: Patience): Promise<Duplex> {
  const { host, port, verifiesServer } = target;
  const secureContext = contextOf(certificatePlaces(target.pkiPath), verifiesServer);
  const socket = await connectTcp(host, port, patience);
  const secure = connect({
    socket,
    secureContext,
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    host,
    rejectUnauthorized: verifiesServer,
  });
  try {
    await trusted(secure, patience);
    return secure;
  } catch (error) {
    secure.destroy();
    throw error;
  }
}

/** Without a certificate of one's own, the server decides whether that will do. */
function contextOf({ authority, certificate, key }: CertificatePlaces, verifiesServer: boolean): SecureContext {
  if (verifiesServer && !existsSync(authority)) throw loginFailed(`Cannot read CA certificate '${authority}'`);
  const [hasCertificate, hasKey] = [existsSync(certificate), existsSync(key)];
  if (hasCertificate !== hasKey) {
    const [there, missing] = hasCertificate ? [certificate, key] : [key, certificate];
    throw loginFailed(`Cannot read '${missing}', which belongs to '${there}'`);
  }
  const files = [existsSync(authority) ? authority : [], hasCertificate ? [certificate, key] : []].flat();
  try {
    return createSecureContext({
      ...(existsSync(authority) ? { ca: readFileSync(authority) } : {}),
      ...(hasCertificate ? { cert: readFileSync(certificate), key: readFileSync(key) } : {}),
      minVersion: "TLSv1.2",
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw loginFailed(`Cannot use the certificates in ${files.map((path) => `'${path}'`).join(", ")}: ${reason}`);
  }
}

const ACCEPTED = 1;

/** What the server has sent behind its byte stays to be read. */
function trusted(socket: TLSSocket, { timeoutMs, signal }: Patience): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (failure: LibvirtError | null): void => {
      clearTimeout(timer);
      stopWatching();
      socket.off("error", onError).off("close", onClose).off("readable", onReadable);
      if (failure === null) resolve();
      else reject(failure);
    };
    const timer = setTimeout(() => {
      settle(LibvirtError.system(ErrorDomain.RPC, ETIMEDOUT, "TLS handshake failed"));
    }, timeoutMs);
    const stopWatching = watchSignal(signal, () => settle(givenUp("Connecting")));
    const onError = (error: Error) => settle(loginFailed(`TLS handshake failed: ${error.message}`));
    const onClose = () => settle(loginFailed(NOT_TRUSTED));
    const onReadable = () => {
      const answer = socket.read(1) as Buffer | null;
      if (answer !== null) settle(answer[0] === ACCEPTED ? null : loginFailed(NOT_TRUSTED));
    };
    socket.on("error", onError).on("close", onClose).on("readable", onReadable);
  });
}

const NOT_TRUSTED = "Server verification (of our certificate or IP address) failed";

const ETIMEDOUT = 110;

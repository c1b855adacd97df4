import { auth, connect as connectProcedures } from "@cistern/protocol";
import { authFilePlaces, type CredentialsSource, fromAuthFile } from "./authentication/credentials.js";
import { logIn } from "./authentication/sasl.js";
import type { CallOptions, Channel } from "./channel.js";
import { LIMITS } from "./limits.js";
import type { Login } from "./uri.js";

/** How to connect. */
export interface ConnectOptions {
  /** Ask for nothing that changes anything; the server enforces it. */
  readonly readOnly?: boolean | undefined;
  /** Milliseconds per step of connecting and opening. Default: 10 s, and 5 min where a person may be asked for a password. */
  readonly timeoutMs?: number | undefined;
  /** Gives it up, with 78, whatever it waits for; once connected it does nothing any more. */
  readonly signal?: AbortSignal | undefined;
  /** For a server that wants a login; without it, what libvirt's auth.conf has is used. */
  readonly credentials?: CredentialsSource | undefined;
  /** Where the URI names no socket, pass over cisternd's: for guests, which only libvirt's own daemons have. */
  readonly libvirtOnly?: boolean | undefined;
  /** Ask a silent server for signs of life, and let it ask. */
  readonly keepalive?: boolean | undefined;
}

/** Ways to authenticate, by AUTH_LIST's numbers. */
const AuthType = { NONE: 0, SASL: 1, POLKIT: 2 } as const;

/** What a server is asked about with CONNECT_SUPPORTS_FEATURE. */
const Feature = { KEEPALIVE: 10, REMOTE_EVENT_CALLBACK: 14, REMOTE_CLOSE_CALLBACK: 15 } as const;

const OPEN_READ_ONLY = 1;

/**
 * The first calls of a connection, in the order that servers ask for: authentication, keepalive, CONNECT_OPEN. Gives the
 * features that the server said it has.
 */
export async function openChannel(
  channel: Channel,
  name: string,
  options: ConnectOptions,
  login: Login,
): Promise<ReadonlySet<number>> {
  const step = { timeoutMs: options.timeoutMs ?? LIMITS.connectTimeoutMs };
  const features = new Set<number>();
  const askFeature = async (feature: number): Promise<boolean> => {
    const { supported } = await channel.call(connectProcedures.connectSupportsFeature, { feature }, step);
    if (supported !== 0) features.add(feature);
    return supported !== 0;
  };
  await authenticate(channel, step, login, options);
  if (options.keepalive !== false && (await askFeature(Feature.KEEPALIVE))) {
    channel.startKeepalive(LIMITS.keepaliveIntervalMs, LIMITS.keepaliveCount);
  }
  const flags = options.readOnly === true ? OPEN_READ_ONLY : 0;
  await channel.call(connectProcedures.connectOpen, { name, flags }, step);
  await askFeature(Feature.REMOTE_EVENT_CALLBACK);
  await askFeature(Feature.REMOTE_CLOSE_CALLBACK);
  return features;
}

async function authenticate(
  channel: Channel,
  step: CallOptions,
  login: Login,
  { credentials: asked, timeoutMs: patienceMs }: ConnectOptions,
): Promise<void> {
  const { types } = await channel.call(auth.authList, undefined, step);
  if (types.length === 0 || types.includes(AuthType.NONE)) return;
  if (types.includes(AuthType.POLKIT)) {
    // The user may be asked for a password meanwhile.
    await channel.call(auth.authPolkit, undefined, { timeoutMs: patienceMs ?? LIMITS.polkitTimeoutMs });
    return;
  }
  const { authFile, ...about } = login;
  const credentials = asked ?? fromAuthFile(authFilePlaces(authFile));
  await logIn((procedure, args, options) => channel.call(procedure, args, options), { ...about, credentials }, step);
}

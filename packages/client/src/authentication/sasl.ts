import { auth, ErrorCode, ErrorDomain, LibvirtError, type Procedure } from "@cistern/protocol";
import type { CallOptions } from "../channel.js";
import type { Credentials, CredentialsSource } from "./credentials.js";
import { loginFailed, type Mechanism, plain } from "./mechanism.js";
import { scramSha256 } from "./scram.js";

/** The best first. */
const MECHANISMS: readonly {
  readonly name: string;
  /** Whether who reads along learns the password. */
  readonly showsPassword: boolean;
  begin(credentials: Credentials): Mechanism;
}[] = [
  {
    name: "SCRAM-SHA-256",
    showsPassword: false,
    begin: ({ username, password }) => scramSha256(username, password),
  },
  { name: "PLAIN", showsPassword: true, begin: ({ username, password }) => plain(username, password) },
];

export interface SaslOptions {
  /** Of the URI's `auth=sasl.NAME`; null: the best that both know. */
  readonly mechanism: string | null;
  /** Whether what is sent is seen by both ends alone. */
  readonly isPrivate: boolean;
  readonly host: string;
  readonly credentials: CredentialsSource;
}

type Call = <Args, Result>(procedure: Procedure<Args, Result>, args: Args, options: CallOptions) => Promise<Result>;

/** Logs in. 79 where nobody knows a name and a password, 45 where they are wrong, 94 where the two sides know no common way. */
export async function logIn(call: Call, options: SaslOptions, step: CallOptions): Promise<void> {
  const { mechlist } = await call(auth.authSaslInit, undefined, step);
  const offered = mechlist.split(/[\s,]+/).filter((name) => name !== "");
  const usable = MECHANISMS.filter(
    ({ name, showsPassword }) =>
      offered.includes(name) &&
      (options.mechanism === null || options.mechanism === name) &&
      (!showsPassword || options.isPrivate),
  );
  const [chosen] = usable;
  if (chosen === undefined) throw noCommonWay(offered, options);
  const credentials = await options.credentials({ host: options.host, mechanism: chosen.name });
  if (credentials === null) {
    const text = `no name and password are known for '${options.host}': nobody was asked, and no auth.conf has them`;
    throw LibvirtError.of(ErrorCode.AUTH_CANCELLED, ErrorDomain.RPC, text);
  }
  const mechanism = chosen.begin(credentials);
  const first = { mech: mechanism.name, nil: 0, data: mechanism.first };
  let answer = await call(auth.authSaslStart, first, step);
  for (;;) {
    const reply = answer.nil !== 0 && answer.complete !== 0 ? null : await mechanism.answer(answer.data);
    if (answer.complete !== 0) break;
    answer = await call(auth.authSaslStep, { nil: reply === null ? 1 : 0, data: reply ?? new Uint8Array() }, step);
  }
  if (!mechanism.isDone) throw loginFailed("the server has not proved that it knows the password");
}

function noCommonWay(offered: readonly string[], { mechanism, isPrivate }: SaslOptions): LibvirtError {
  const known = MECHANISMS.filter(({ showsPassword }) => !showsPassword || isPrivate).map(({ name }) => name);
  const ours =
    mechanism === null ? known.join(", ") : `${mechanism}${known.includes(mechanism) ? "" : " (not usable here)"}`;
  const text = `the server offers ${offered.join(", ")}, and this client ${ours}`;
  return LibvirtError.of(ErrorCode.AUTH_UNAVAILABLE, ErrorDomain.RPC, text);
}

import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";

/** The client's side of one login. */
export interface Mechanism {
  /** As SASL calls it. */
  readonly name: string;
  /** What is said with the first call. */
  readonly first: Uint8Array;
  /** To what the server said; null: nothing is to be said any more. Throws where the server is not to be trusted. */
  answer(challenge: Uint8Array): Promise<Uint8Array | null>;
  /** Whether the server has said all that it has to say. */
  readonly isDone: boolean;
}

/** 45 of libvirt's RPC. */
export function loginFailed(reason: string): LibvirtError {
  return LibvirtError.of(ErrorCode.AUTH_FAILED, ErrorDomain.RPC, reason);
}

/** The password travels as it is: for connections that nobody else reads. */
export function plain(username: string, password: string): Mechanism {
  return {
    name: "PLAIN",
    first: Buffer.from(`\0${username}\0${password}`),
    async answer() {
      throw loginFailed("the server asks on after a plain password");
    },
    isDone: true,
  };
}

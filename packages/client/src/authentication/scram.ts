import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { LIMITS } from "../limits.js";
import { loginFailed, type Mechanism } from "./mechanism.js";

const derive = promisify(pbkdf2);
const KEY_BYTES = 32;
const NONCE_BYTES = 18;

/** No channel binding, and nobody else's name. */
const GS2_HEADER = "n,,";

/**
 * SCRAM-SHA-256 (RFC 5802, RFC 7677): the password does not travel, and the server proves that it knows it too.
 *
 * @param nonce for tests
 */
export function scramSha256(
  username: string,
  password: string,
  nonce: string = randomBytes(NONCE_BYTES).toString("base64"),
): Mechanism {
  const name = username.normalize("NFKC").replaceAll("=", "=3D").replaceAll(",", "=2C");
  const firstBare = `n=${name},r=${nonce}`;
  let serverSignature: Buffer | null = null;
  let isVerified = false;
  return {
    name: "SCRAM-SHA-256",
    first: Buffer.from(GS2_HEADER + firstBare),

    async answer(challenge) {
      if (isVerified) throw loginFailed("the server asks on after its proof");
      const text = Buffer.from(challenge).toString();
      const parts = new Map(text.split(",").map((part) => [part.slice(0, 2), part.slice(2)]));
      if (serverSignature !== null) {
        const refusal = parts.get("e=");
        if (refusal !== undefined) throw loginFailed(refusal);
        const proof = Buffer.from(parts.get("v=") ?? "", "base64");
        if (proof.length !== serverSignature.length || !timingSafeEqual(proof, serverSignature)) {
          throw loginFailed("the server does not know the password");
        }
        isVerified = true;
        return null;
      }
      const whole = parts.get("r=") ?? "";
      const iterations = Number(parts.get("i=") ?? "");
      if (!whole.startsWith(nonce) || whole.length === nonce.length)
        throw loginFailed("the server's answer is not for us");
      if (!Number.isInteger(iterations) || iterations < 1 || iterations > LIMITS.scramIterations) {
        throw loginFailed(`the server wants ${parts.get("i=")} rounds`);
      }
      const salt = Buffer.from(parts.get("s=") ?? "", "base64");
      const salted = await derive(password.normalize("NFKC"), salt, iterations, KEY_BYTES, "sha256");
      const clientKey = hmac(salted, "Client Key");
      const withoutProof = `c=${Buffer.from(GS2_HEADER).toString("base64")},r=${whole}`;
      const message = `${firstBare},${text},${withoutProof}`;
      const signature = hmac(createHash("sha256").update(clientKey).digest(), message);
      serverSignature = hmac(hmac(salted, "Server Key"), message);
      const proof = clientKey.map((byte, at) => byte ^ (signature[at] ?? 0));
      return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString("base64")}`);
    },

    get isDone() {
      return isVerified;
    },
  };
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

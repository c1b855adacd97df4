/**
 * `refused`: answered with an error, which must be the recorded one byte for byte.
 * `tolerated`: understood as if it were well formed.
 * `silent`: nothing is sent, and the connection lives on.
 */
export type Outcome = "refused" | "tolerated" | "silent";

export interface BadPacket {
  readonly file: string;
  readonly label: string;
  readonly reason: string;
  readonly outcome: Outcome;
}

/** The packets from clients that were made wrong on purpose, to see what a real libvirtd does with them. */
export const badPackets: readonly BadPacket[] = [
  bad("unknown proc 9999", "refused", "no procedure has this number"),
  bad("unknown proc 0", "refused", "procedures are numbered from 1"),
  bad("unknown prog", "refused", "no program has this number"),
  bad("bad version", "refused", "every program has version 1"),
  bad("status=1 in call", "refused", "a call's status is OK"),
  bad("bad xdr (short args)", "refused", "the body ends in the middle of a length"),
  bad("string too long", "refused", "the string's length is over the limit, and over what follows"),
  bad("trailing garbage", "tolerated", "four bytes stand behind the arguments"),
  bad("type REPLY from client", "silent", "clients do not reply, and the body is not a result"),
  bad("stream pkt no stream", "silent", "no call with this serial opened a stream"),
  bad("stream hole no stream", "silent", "no call with this serial opened a stream"),
  bad("lxc prog", "refused", "the procedure takes a domain and flags, and the body is empty"),
  bad("qemu prog unknown", "refused", "the program has no procedure with this number"),
  bad("sasl_step before init", "refused", "the body is that of AUTH_SASL_STEP, without a mechanism"),
  {
    file: "go-libvirt-open.json",
    label: "open optional=0x01000000",
    outcome: "tolerated",
    reason: "the word that says that a name follows is 0x01000000 instead of 1",
  },
];

function bad(label: string, outcome: Outcome, reason: string): BadPacket {
  return { file: "raw-errors.json", label, outcome, reason };
}

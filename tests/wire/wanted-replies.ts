/** Replies of cisternd that differ from the recorded ones, and why. Keyed by the call's position in raw-errors.json. */
export interface WantedReply {
  readonly label: string;
  readonly reason: string;
  /** What the body (or the error) must be instead. */
  readonly body: unknown;
}

const NO_DRIVER = "cisternd has the storage driver only, and answers other names as libvirt answers unknown ones";
const EMPTY_NAME =
  'the empty name opens the storage driver, there being no hypervisor to probe for ("ours" in 1-protocol.md, 1.4)';
const SESSION = "a daemon with --root answers the session forms, as the issue orders (point 4)";
const HOST = "the recording host's own pools";

export const wantedReplies: ReadonlyMap<number, WantedReply> = new Map([
  [88, { label: "list_all need_results=0", reason: HOST, body: { pools: [], ret: 0 } }],
  [90, { label: "list_all need_results=1", reason: HOST, body: { pools: [], ret: 0 } }],
  [92, { label: "num pools", reason: HOST, body: { num: 0 } }],
  [
    108,
    { label: "event register 0", reason: "numbers of callbacks begin at 0 with the daemon", body: { callbackID: 0 } },
  ],
  [144, { label: "get_uri", reason: EMPTY_NAME, body: { uri: "storage:///system" } }],
  [146, { label: "get_type", reason: EMPTY_NAME, body: { type: "storage" } }],
  [150, { label: "open storage session 'storage:///session'", reason: SESSION, body: undefined }],
  [152, { label: "get_uri", reason: SESSION, body: { uri: "storage:///session" } }],
  [154, { label: "get_type", reason: SESSION, body: { type: "storage" } }],
  [166, { label: "open test 'test:///default'", reason: NO_DRIVER, body: noDriver("test:///default") }],
  [168, { label: "get_uri", reason: NO_DRIVER, body: notOpen() }],
  [170, { label: "get_type", reason: NO_DRIVER, body: notOpen() }],
  [174, { label: "open secret 'secret:///system'", reason: NO_DRIVER, body: noDriver("secret:///system") }],
  [176, { label: "get_uri", reason: NO_DRIVER, body: notOpen() }],
  [178, { label: "get_type", reason: NO_DRIVER, body: notOpen() }],
]);

/** Packets that only a server of another kind answers as recorded. */
export const notApplicable: readonly { readonly from: number; readonly to: number; readonly reason: string }[] = [
  {
    from: 188,
    to: 199,
    reason: "recorded from a server with auth_unix_rw=sasl; cisternd's sockets ask for no authentication",
  },
];

function noDriver(name: string): { code: number; domain: number; message: string } {
  return { code: 5, domain: 0, message: `no connection driver available for ${name}` };
}

function notOpen(): { code: number; domain: number; message: string } {
  return { code: 1, domain: 7, message: "internal error: hypervisor connection not open" };
}

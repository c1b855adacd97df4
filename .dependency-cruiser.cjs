// The arrows of docs/architecture.md as rules: between packages, and between the rooms of the daemon.
//
// A table says who may see whom; everything else is forbidden. tests/architecture proves each rule on a tree that
// breaks it, so a rule that no longer catches anything turns a test red.

const { existsSync, readdirSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

/** The tree that is looked at. Not this file's directory: the rules are tested over a tree of violations. */
const root = process.cwd();

/** package -> siblings it may import. */
const PACKAGE_ARROWS = {
  protocol: [],
  documents: [],
  client: ["protocol", "documents"],
  cli: ["client", "documents", "protocol"],
  daemon: ["protocol", "documents", "client"],
};

/**
 * Room of packages/daemon/src -> rooms it may import. `limits.ts` and `version.ts` are seen by all: they hold named
 * values and import nothing; so is `cancel-signal.ts`, by which all work is told to stop. `main.ts` is the only file that knows everybody, and nobody knows it. `jobs/job.ts` is the interface by
 * which slow work is told to stop and says how far it is; drivers see it, but not the job register beside it.
 */
const ROOM_ARROWS = {
  host: [],
  tools: ["host"],
  images: ["host"],
  jobs: ["host"],
  drivers: ["tools", "images", "host", "jobs/job"],
  access: ["host"],
  parsing: ["host"],
  secrets: ["host", "jobs", "parsing"],
  pools: ["drivers", "host", "jobs", "parsing"],
  volumes: ["pools", "drivers", "host", "jobs", "parsing", "secrets"],
  attachments: ["volumes", "pools", "images", "tools", "host", "jobs", "parsing"],
  rpc: ["attachments", "access", "volumes", "pools", "secrets", "jobs", "logging", "monitoring"],
  http: ["attachments", "access", "volumes", "pools", "secrets", "jobs", "logging", "monitoring"],
  config: [],
  logging: [],
  monitoring: ["host"],
};

/**
 * What touches the operating system -> where it may be imported in packages/daemon/src, each exception with its reason.
 * Pure parts of Node (buffer, events, stream, timers, crypto, path, url, util, perf_hooks …) are free.
 */
const DOORS = [
  {
    name: "storage-only-through-host",
    modules: "^(node:)?(fs|fs/promises|child_process|cluster)$|(^|/)node_modules/(koffi|@koromix)/",
    rooms: ["host", "config"],
    comment:
      "Files, programs and native calls are reached through host alone, which may live in a child process. config is " +
      "the exception: it reads cisternd.toml, makes the daemon's own directories and takes its lock before there is a host.",
  },
  {
    name: "threads-only-where-named",
    modules: "^(node:)?worker_threads$",
    rooms: ["host", "parsing"],
    comment: "parsing reads long documents in a thread with a deadline, so that no client can stop the others.",
  },
  {
    name: "sockets-only-at-the-doors",
    modules: "^(node:)?(net|tls|http|http2|https|dgram)$",
    rooms: ["rpc", "http", "host"],
    comment: "Clients come in through rpc and http; host speaks to other daemons' sockets.",
  },
];

const DAEMON = "^packages/daemon/src/";
const alternatives = (names) => `(${names.join("|")})`;

const packageRules = Object.entries(PACKAGE_ARROWS).map(([name, allowed]) => ({
  name: `package-${name}`,
  comment: `packages/${name} may import ${allowed.length === 0 ? "no sibling" : `only ${allowed.join(", ")}`}.`,
  severity: "error",
  from: { path: `^packages/${name}/(src|bin)/` },
  to: { path: "^packages/", pathNot: `^packages/${alternatives([name, ...allowed])}/` },
}));

const roomRules = Object.entries(ROOM_ARROWS).map(([room, allowed]) => ({
  name: `room-${room}`,
  comment: `packages/daemon/src/${room} may import ${allowed.length === 0 ? "no other room" : `only ${allowed.join(", ")}`}.`,
  severity: "error",
  from: { path: `${DAEMON}${room}/` },
  to: {
    path: DAEMON,
    pathNot: `${DAEMON}((limits|version|cancel-signal)[.]ts$|${[room, ...allowed].map((to) => `${to}[/.]`).join("|")})`,
  },
}));

const doorRules = DOORS.map(({ name, modules, rooms, comment }) => ({
  name,
  comment,
  severity: "error",
  from: { path: DAEMON, pathNot: `${DAEMON}${alternatives(rooms)}/` },
  to: { path: modules },
}));

/** npm hoists workspaces, so an import of a sibling resolves whether it is declared or not. */
const declaredSiblingRules = packageNames().map((name) => ({
  name: `declared-siblings-${name}`,
  comment: `packages/${name} imports only the siblings that its package.json declares.`,
  severity: "error",
  from: { path: `^packages/${name}/(src|bin)/` },
  to: { path: "^packages/", pathNot: `^packages/${alternatives([name, ...declaredSiblings(name)])}/` },
}));

function packageNames() {
  return readdirSync(join(root, "packages")).filter((name) => existsSync(join(root, "packages", name, "package.json")));
}

function declaredSiblings(name) {
  const manifest = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
  return Object.keys(manifest.dependencies ?? {})
    .filter((dependency) => dependency.startsWith("@cistern/"))
    .map((dependency) => dependency.slice("@cistern/".length));
}

module.exports = {
  forbidden: [
    ...packageRules,
    ...declaredSiblingRules,
    ...roomRules,
    ...doorRules,
    {
      name: "known-package",
      comment: "A new package is given its arrows in PACKAGE_ARROWS before anything else.",
      severity: "error",
      from: { path: "^packages/", pathNot: `^packages/${alternatives(Object.keys(PACKAGE_ARROWS))}/` },
      to: {},
    },
    {
      name: "known-room",
      comment: "A new room of the daemon is given its arrows in ROOM_ARROWS before anything else.",
      severity: "error",
      from: { path: `${DAEMON}[^/]+/`, pathNot: `${DAEMON}${alternatives(Object.keys(ROOM_ARROWS))}/` },
      to: {},
    },
    {
      name: "only-main-knows-everybody",
      comment:
        "Beside the rooms lie only main.ts, which wires them, and files that import no room (limits, version, cancel-signal, index).",
      severity: "error",
      from: { path: `${DAEMON}[^/]+$`, pathNot: `${DAEMON}main[.]ts$` },
      to: { path: `${DAEMON}[^/]+/` },
    },
    {
      name: "nobody-knows-main",
      comment: "main wires the rooms together; a room that needs something is handed it.",
      severity: "error",
      from: { pathNot: "^tests/" },
      to: { path: `${DAEMON}main[.]ts$` },
    },
    {
      name: "no-node-modules-in-pure-packages",
      comment: "protocol and documents run anywhere: no part of Node, not even where @types/node would allow it.",
      severity: "error",
      from: { path: "^packages/(protocol|documents)/src/" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "protocol-has-no-dependencies",
      comment: "What is said on the wire depends on nothing.",
      severity: "error",
      from: { path: "^packages/protocol/src/" },
      to: { path: "(^|/)node_modules/" },
    },
    {
      name: "client-reaches-out-through-transports",
      comment: "Sockets and ssh stand in one place of the client, so that tests can put memory there.",
      severity: "error",
      from: { path: "^packages/client/src/", pathNot: "^packages/client/src/transports/" },
      to: { path: "^(node:)?(net|tls|child_process)$" },
    },
    {
      name: "public-door",
      comment: "Another package is entered by its name, which leads to its index (or internal) file, never by a path.",
      severity: "error",
      from: { path: "^packages/([^/]+)/" },
      to: {
        path: "^packages/[^/]+/(src|dist|test)/",
        pathNot: ["^packages/$1/", "^packages/[^/]+/dist/(index|internal)[.](js|d[.]ts)$"],
      },
    },
    {
      name: "src-does-not-see-its-build",
      comment: "Sources import sources; only tests and bins load what was built.",
      severity: "error",
      from: { path: "^packages/([^/]+)/src/" },
      to: { path: "^packages/$1/(dist|test|bin)/" },
    },
    {
      name: "declared",
      comment: "Whatever is imported is declared in the package's package.json (tests: or in the root's).",
      severity: "error",
      from: {},
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "test-tools-stay-in-tests",
      comment: "The root's devDependencies are seen by tests and scripts alone.",
      severity: "error",
      from: { path: "^packages/[^/]+/(src|bin)/" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
    },
    {
      name: "examples-see-what-users-see",
      comment: "Examples are programs of users: they import Node, the client and the documents, by their names.",
      severity: "error",
      from: { path: "^examples/" },
      to: {
        pathNot: ["^examples/", "^packages/(client|documents)/dist/index[.](js|d[.]ts)$"],
        dependencyTypesNot: ["core"],
      },
    },
    {
      name: "scripts-need-only-node",
      comment: "npm start and npm test run before anything is installed.",
      severity: "error",
      from: { path: "^scripts/" },
      to: { pathNot: "^scripts/", dependencyTypesNot: ["core"] },
    },
    {
      name: "resolvable",
      comment: "An import that leads nowhere. (Not built yet? npm run build comes first.)",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "no-cycles",
      comment: "Files that need each other are one file, or share a third.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
  ],
  options: {
    // Types are arrows too: a driver that names a lock's type knows about locks.
    tsPreCompilationDeps: true,
    // The root's package.json counts for the files below it as well: the test tools are declared there.
    combinedDependencies: true,
    doNotFollow: { path: ["node_modules", "(^|/)dist/"] },
    exclude: { path: ["(^|/)fixtures/", "(^|/)recorded/"] },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "default", "node"],
      extensions: [".ts", ".js", ".mjs", ".cjs", ".json", ".node"],
    },
  },
};

// npm run pool-types: writes docs/pool-types.md anew. Needs a build.
//
//   npm run pool-types                 from what is known
//   npm run pool-types -- FACTS…       and from the results of a run (CISTERN_TEST_RESULTS=FACTS)
//
// `npm test` and `npm run lab` do the same with their own results when they pass.

import { resolve } from "node:path";
import { writePoolTypes } from "./steps/pool-types.mjs";
import { readFacts } from "./steps/results.mjs";

const root = resolve(import.meta.dirname, "..");
await writePoolTypes(root, process.argv.slice(2).flatMap(readFacts));

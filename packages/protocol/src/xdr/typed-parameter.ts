import { LIMITS } from "../limits.js";
import { string } from "./bytes.js";
import { struct, union } from "./composites.js";
import { double, hyper, int, uint, unsignedHyper } from "./scalars.js";
import type { Infer } from "./schema.js";

/** `remote_typed_param`: a named value that carries its own type. A boolean is an int of 0 or 1. */
export const typedParameter = struct({
  field: string(LIMITS.stringBytes),
  value: union({
    int: [1, int],
    uint: [2, uint],
    llong: [3, hyper],
    ullong: [4, unsignedHyper],
    double: [5, double],
    boolean: [6, int],
    string: [7, string(LIMITS.stringBytes)],
  }),
});
export type TypedParameter = Infer<typeof typedParameter>;

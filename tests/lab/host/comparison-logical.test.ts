import { compareType } from "../comparison/compare-type.js";

compareType("logical", { lane: "uml", minutes: 15 });

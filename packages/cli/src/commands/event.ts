import type { Context } from "../context.js";
import { UsageError } from "../exit-status.js";
import type { ValuesOf } from "./command.js";
import { flag, optionalCount, optionalText } from "./parameters.js";

/** Of commands that print events. */
export function eventParameters(kinds: readonly string[]) {
  return {
    event: optionalText(`which event type to wait for: ${kinds.join(", ")} or all`, { completes: [...kinds, "all"] }),
    loop: flag("loop until timeout or interrupt, rather than one-shot"),
    timeout: optionalCount("timeout seconds"),
    list: flag("list valid event types"),
    timestamp: flag("show timestamp for each printed event"),
    count: optionalCount("with --loop: end after so many", { isNamedOnly: true }),
  } as const;
}

type Values = ValuesOf<ReturnType<typeof eventParameters>>;

/** What virsh calls an event, and how it tells of it. */
export interface EventText {
  readonly kind: string;
  readonly text: string;
}

/** The types of events there are, where that is asked for; whether it was. Throws `UsageError` for a type that is none. */
export function printEventTypes(context: Context, kinds: readonly string[], { list, event }: Values): boolean {
  if (list) context.printResult(kinds, () => kinds.map((kind) => `${kind}\n`).join(""));
  else if (event === null) throw new UsageError("either --list or --event <type> is required");
  else if (event !== "all" && !kinds.includes(event)) throw new UsageError(`unknown event type ${event}`);
  return list;
}

/** Prints events of the wanted type until there are enough, the time is over, or the user wants to stop. */
export async function watchEvents<Event>(
  context: Context,
  events: AsyncIterableIterator<Event>,
  values: Values,
  describe: (event: Event) => EventText,
): Promise<void> {
  const { signal } = context.surroundings;
  const leave = (): void => void events.return?.().catch(() => {});
  // Ending on request is what this is for, so it is no failure.
  signal.addEventListener("abort", leave, { once: true });
  const timer = values.timeout === null ? null : setTimeout(leave, values.timeout * 1000);
  const wanted = values.loop ? (values.count ?? Number.POSITIVE_INFINITY) : 1;
  let received = 0;
  try {
    for await (const event of events) {
      const { kind, text } = describe(event);
      if (values.event !== "all" && values.event !== kind) continue;
      const time = values.timestamp ? `${timestamp(new Date())}: ` : "";
      context.printRecord({ time: new Date(), event: kind, ...event }, () => `${time}${text}\n`);
      received++;
      if (received >= wanted) break;
    }
  } finally {
    if (timer !== null) clearTimeout(timer);
    signal.removeEventListener("abort", leave);
  }
  if (context.isText) printEnd(context, received, wanted);
  if (received === 0) throw new Error("no event was received");
}

function printEnd(context: Context, received: number, wanted: number): void {
  if (received < wanted)
    context.print(`event loop ${context.surroundings.signal.aborted ? "interrupted" : "timed out"}\n`);
  context.print(`events received: ${received}\n`);
}

/** "2026-11-26 07:31:46.583+0000". */
function timestamp(date: Date): string {
  return date.toISOString().replace("T", " ").replace("Z", "+0000");
}

import { setImmediate as nextTurn } from "node:timers/promises";

/** Does `work` on all of them, so many at one time; between two the event loop has its turn, even where nothing is waited for. */
export async function inTurns<T>(items: Iterable<T>, atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = waiting.next(); next.done !== true; next = waiting.next()) {
      await work(next.value);
      await nextTurn();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { answered, lookOutFor } from "../../dist/host/local/loop-lookout.js";

/** How often it was looked. */
async function looks(answerAtLook: number, longestMs: number): Promise<number> {
  let count = 0;
  await lookOutFor(() => {
    count += 1;
    return count >= answerAtLook;
  }, longestMs);
  return count;
}

it("the loop looks for an answer until it comes, or some time has passed, where calls follow closely", async () => {
  answered();
  expect(await looks(3, 60_000)).toBe(3);
  answered();
  // Others have their turn meanwhile, and it ends by itself.
  let others = 0;
  const other = setInterval(() => {
    others += 1;
  }, 1);
  const count = await looks(Number.POSITIVE_INFINITY, 200);
  clearInterval(other);
  expect(others).toBeGreaterThan(0);
  expect(count).toBeGreaterThan(1);
});

it("it does not look where calls come seldom", async () => {
  answered();
  await delay(20);
  expect(await looks(3, 60_000)).toBe(0);
});

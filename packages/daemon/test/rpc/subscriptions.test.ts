import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { Subscriptions } from "../../dist/rpc/subscriptions.js";

const UUID = "5e7a1f00-0000-0000-0000-000000000001";

test("who wants no more events gets none at once, and the answer a moment later", async () => {
  const subscriptions = new Subscriptions();
  const id = subscriptions.register("secret", 1, null);
  expect([...subscriptions.matching("secret", 1, UUID)]).toEqual([id]);
  let answered = false;
  const answer = subscriptions.deregister("secret", id).then(() => {
    answered = true;
  });
  expect([...subscriptions.matching("secret", 1, UUID)]).toEqual([]);
  for (let turns = 0; turns < 3; turns++) await nextTurn();
  expect(answered).toBe(false);
  await answer;
  await expect(subscriptions.deregister("secret", id)).rejects.toMatchObject({ code: 1 });
});

// What every test asks of the running Crossfade: as an admin, over HTTP.
import assert from 'node:assert/strict';

export const url = process.env.CROSSFADE_URL;
export const adminToken = process.env.CROSSFADE_TOKEN;
export const clientToken = process.env.CLIENT_TOKEN;
/** Another service, which has one change stream. */
export const narrow = { url: process.env.NARROW_URL, token: process.env.NARROW_TOKEN };

export async function admin(method, path, body, headers = {}, at = url) {
  const answer = await fetch(at + path, {
    method,
    headers: { Authorization: `Bearer ${adminToken}`, 'Content-Type': 'application/json', ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

let number = 0;

/** Make a flag under a new key and return the key. */
export async function flag(document = {}) {
  const key = `flag-${process.pid}-${(number += 1)}`;
  await admin('POST', '/flags', { key, ...document });
  return key;
}

export async function toEveryone(key, percentage = 100) {
  await admin('PUT', `/flags/${key}/rollout`, { percentage, reason: 'a test' });
}

/** Ask again and again until the answer is right, for a while at most. */
export async function until(ask, isRight, what, patience = 20_000) {
  const end = Date.now() + patience;
  for (;;) {
    const got = await ask();
    if (isRight(got)) return got;
    assert.ok(Date.now() < end, `${what}: still ${JSON.stringify(got)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// @openfeature/ofrep-web-provider as it is published, in Chromium, on a page of another origin.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, extname, join, normalize } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { admin, clientToken, flag, narrow, toEveryone, until, url } from './crossfade.mjs';

const folder = dirname(fileURLToPath(import.meta.url));
const nested = 'node_modules/@openfeature/ofrep-web-provider/node_modules/@openfeature/ofrep-core';
const ofrepCore = existsSync(join(folder, nested)) ? nested : 'node_modules/@openfeature/ofrep-core';
const types = { '.js': 'text/javascript', '.html': 'text/html' };
const quiet = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--disable-gpu', '--no-sandbox'];

let server, browser, origin;

before(async () => {
  server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://page').pathname));
    const file = path === '/' ? 'page.html' : path.replace('/OFREP-CORE', `/${ofrepCore}`);
    try {
      const content = await readFile(join(folder, file));
      response.writeHead(200, { 'Content-Type': types[extname(file)] ?? 'text/plain' }).end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${server.address().port}`;
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: quiet });
});

after(async () => {
  await browser?.close();
  server?.close();
});

async function pageOf(context, token = clientToken, prepare = async () => {}, at = url) {
  const page = await (await browser.newContext()).newPage();
  await prepare(page);
  page.streams = [];
  page.asked = 0;
  page.on('response', (response) => {
    if (response.url().includes('/ofrep/v1/events')) page.streams.push(response.status());
  });
  page.on('request', (request) => {
    if (request.url().includes('/ofrep/v1/evaluate/flags') && request.method() === 'POST') page.asked += 1;
  });
  await page.goto(origin);
  await page.waitForFunction('window.ready');
  await page.evaluate(([at, bearer, who]) => window.begin(at, bearer, who), [at, token, context]);
  return page;
}

const value = (page, key) => page.evaluate((each) => window.client.getBooleanValue(each, false), key);
const events = (page) => page.evaluate(() => window.seen.map(([event]) => event));

test('a page gets all its flags at once, each with variant, reason and metadata', async () => {
  const key = await flag();
  await toEveryone(key);
  const page = await pageOf({ targetingKey: 'user-1' });
  const told = await page.evaluate((each) => window.client.getBooleanDetails(each, false), key);
  assert.deepEqual([told.value, told.variant, told.reason, told.flagMetadata.version], [true, 'on', 'SPLIT', 2]);
});

test('a change reaches the page by the event stream, without any polling', async () => {
  const key = await flag();
  const page = await pageOf({ targetingKey: 'user-1' });
  assert.equal(await value(page, key), false);
  await until(() => page.streams, (got) => got.includes(200), 'the event stream');
  const began = Date.now();
  await toEveryone(key);
  await until(() => value(page, key), (got) => got === true, 'the raised flag');
  console.log(`# a change was in the page after ${Date.now() - began} ms`);
  assert.ok((await events(page)).includes('PROVIDER_CONFIGURATION_CHANGED'));
  await toEveryone(key, 0);
  await until(() => value(page, key), (got) => got === false, 'the lowered flag');
});

test('a kill and its release reach the page the same way', async () => {
  const key = await flag();
  await toEveryone(key);
  const page = await pageOf({ targetingKey: 'user-1' });
  assert.equal(await value(page, key), true);
  await admin('POST', `/flags/${key}/kill`, { reason: 'a test' });
  await until(() => value(page, key), (got) => got === false, 'the killed flag');
  await admin('DELETE', `/flags/${key}/kill`, { reason: 'a test' });
  await until(() => value(page, key), (got) => got === true, 'the released flag');
});

test('a change that was scheduled reaches the page when its time has come', async () => {
  const at = new Date(Date.now() + 6000).toISOString();
  const key = await flag({ schedule: [{ at, percentage: 100 }] });
  const page = await pageOf({ targetingKey: 'user-1' });
  assert.equal(await value(page, key), false);
  await until(() => value(page, key), (got) => got === true, 'the scheduled flag');
  assert.ok(Date.now() >= Date.parse(at));
});

test('a page that holds the URL of a stream whose token has expired gets another and goes on', async () => {
  const key = await flag();
  let isFirst = true;
  const old = (page) => page.route('**/ofrep/v1/evaluate/flags', async (route) => {
    if (!isFirst || route.request().method() !== 'POST') return route.continue();
    isFirst = false;
    const response = await route.fetch();
    const text = (await response.text()).replace(/pages~[0-9a-f]+~[0-9a-f]+/, process.env.EXPIRED);
    assert.ok(text.includes(process.env.EXPIRED), text);
    // an answer that names another token has another ETag
    return route.fulfill({ response, body: text, headers: { ...response.headers(), etag: '"of three hours ago"' } });
  });
  const page = await pageOf({ targetingKey: 'user-1' }, clientToken, old);
  await until(() => page.streams, (got) => got.includes(200), 'a stream under another token');
  assert.equal(page.streams[0], 403);
  await toEveryone(key);
  await until(() => value(page, key), (got) => got === true, 'the raised flag');
});

test('a page that finds no stream free asks for nothing in vain, and is told of changes some seconds later', async () => {
  const taken = new AbortController();
  const headers = { 'X-API-Key': narrow.token };
  assert.equal((await fetch(`${narrow.url}/ofrep/v1/events`, { headers, signal: taken.signal })).status, 200);
  await admin('POST', '/flags', { key: 'f' }, {}, narrow.url);
  const page = await pageOf({ targetingKey: 'user-1' }, narrow.token, undefined, narrow.url);
  await until(() => page.streams, (got) => got.length === 1, 'an answer in place of a stream');
  await new Promise((resolve) => setTimeout(resolve, 5000));
  // at the beginning, and when it hears of the state in force
  assert.ok(page.asked <= 2, `asked ${page.asked} times`);
  assert.equal(page.streams.length, 1);
  await admin('PUT', '/flags/f/rollout', { percentage: 100, reason: 'a test' }, {}, narrow.url);
  await until(() => value(page, 'f'), (got) => got === true, 'the raised flag', 40_000);
  assert.ok((await events(page)).includes('PROVIDER_CONFIGURATION_CHANGED'));
  assert.ok(page.asked <= 3, `asked ${page.asked} times`);
  taken.abort();
});

test('another plan of the same user is asked anew: the ETag covers the whole context', async () => {
  const when = { attribute: 'plan', op: 'eq', value: 'pro' };
  const key = await flag({ rules: [{ name: 'paying', when, serve: { variant: 'on' } }] });
  const page = await pageOf({ targetingKey: 'user-1', plan: 'free' });
  assert.equal(await value(page, key), false);
  await page.evaluate(() => window.OpenFeature.setContext({ targetingKey: 'user-1', plan: 'pro' }));
  await until(() => value(page, key), (got) => got === true, 'the flag of the other plan');
});

test('a wrong token is a fatal error of the provider', async () => {
  await assert.rejects(pageOf({ targetingKey: 'user-1' }, 'wrong.token'));
});

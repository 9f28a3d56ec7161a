// @openfeature/ofrep-provider as it is published, in a server: one flag by one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { admin, clientToken, flag, toEveryone, url } from './crossfade.mjs';

const someone = { targetingKey: 'user-1', plan: 'pro' };

async function clientWith(token) {
  const provider = new OFREPProvider({ baseUrl: url, headers: [['Authorization', `Bearer ${token}`]] });
  await OpenFeature.setProviderAndWait(provider);
  return OpenFeature.getClient();
}

test('values of every type come as they are kept, with variant, reason and metadata', async () => {
  const client = await clientWith(clientToken);
  const kinds = [
    [{ on: true, off: false }, 'getBooleanDetails', false, true],
    [{ on: 'hello', off: 'bye' }, 'getStringDetails', '', 'hello'],
    [{ on: 7, off: 0 }, 'getNumberDetails', -1, 7],
    [{ on: 1.0, off: 0.5 }, 'getNumberDetails', -1, 1],
    [{ on: { a: [1, 'x', null] }, off: {} }, 'getObjectDetails', {}, { a: [1, 'x', null] }],
  ];
  for (const [variants, method, fallback, wanted] of kinds) {
    const key = await flag({ variants, off_variant: 'off' });
    await toEveryone(key);
    const details = await client[method](key, fallback, someone);
    assert.deepEqual(details.value, wanted);
    assert.equal(details.variant, 'on');
    assert.equal(details.reason, 'SPLIT');
    assert.equal(details.flagMetadata.version, 2);
    assert.equal(details.errorCode, undefined);
  }
});

test('a rule matches the attributes of the context', async () => {
  const client = await clientWith(clientToken);
  const when = { attribute: 'plan', op: 'eq', value: 'pro' };
  const key = await flag({ rules: [{ name: 'paying', when, serve: { variant: 'on' } }] });
  const details = await client.getBooleanDetails(key, false, someone);
  assert.deepEqual([details.value, details.reason], [true, 'TARGETING_MATCH']);
});

test('an unknown flag, a missing key, a wrong type and a disabled flag give the default of the code', async () => {
  const client = await clientWith(clientToken);
  const split = await flag();
  await toEveryone(split, 50);
  const disabled = await flag({ enabled: false });
  assert.equal((await client.getBooleanDetails('no-such-flag', true, someone)).errorCode, 'FLAG_NOT_FOUND');
  assert.equal((await client.getBooleanDetails(split, true, {})).errorCode, 'TARGETING_KEY_MISSING');
  assert.equal((await client.getStringDetails(split, 'mine', someone)).errorCode, 'TYPE_MISMATCH');
  // this client knows no answer without a value: the reason it gives is its own
  assert.equal(await client.getBooleanValue(disabled, true, someone), true);
});

test('a killed flag gives its off variant, not the default of the code', async () => {
  const client = await clientWith(clientToken);
  const key = await flag();
  await toEveryone(key);
  await admin('POST', `/flags/${key}/kill`, { reason: 'a test' });
  const told = await client.getBooleanDetails(key, true, someone);
  assert.deepEqual([told.value, told.reason, told.flagMetadata.killed], [false, 'STATIC', true]);
});

test('a wrong token is an error, and the default of the code', async () => {
  const client = await clientWith('wrong.token');
  const told = await client.getBooleanDetails('any', true, someone);
  assert.deepEqual([told.value, told.reason], [true, 'ERROR']);
});
